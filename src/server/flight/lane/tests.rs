//! The lane against a plain list of everything that passed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn lane(memory_max: usize) -> (Lane, Arc<Memory>) {
    let memory = Arc::new(Memory::new(memory_max));
    (Lane::new(Arc::clone(&memory)), memory)
}

/// `count` bytes that tell their place.
fn bytes(start: usize, count: usize) -> Vec<u8> {
    (start..start + count)
        .map(|place| u8::try_from(place * 7 % 251).unwrap())
        .collect()
}

fn kept(lane: &mut Lane) -> Vec<u8> {
    lane.pieces()
        .flat_map(|(_, _, bytes)| bytes.to_vec())
        .collect()
}

/// What is kept is what it says that it is, within its bounds.
#[track_caller]
fn check(lane: &mut Lane, all: &[u8]) {
    let extent = lane.extent();
    assert_eq!(extent.total, all.len() as u64);
    let at = usize::try_from(extent.missing_at).unwrap();
    let missing = usize::try_from(extent.missing).unwrap();
    let expected = [&all[..at], &all[at + missing..]].concat();
    assert!(kept(lane) == expected, "other bytes than it says");
    assert!(at <= HEAD_BYTES_MAX);
    assert!(expected.len() - at <= TAIL_BYTES_MAX);
    assert!(lane.pieces().count() <= HEAD_PIECES_MAX + TAIL_PIECES_MAX);
}

#[test]
fn a_short_conversation_is_kept_whole_with_its_times() {
    let (mut lane, _) = lane(1 << 20);
    let ms = Duration::from_millis;
    lane.push(1, ms(0), b"one");
    lane.push(2, ms(5), b"two");
    // Slices of one write.
    lane.push(2, ms(5), b"three");
    lane.push(9, ms(70), b"four");
    let pieces: Vec<_> = lane.pieces().collect();
    let expected: [(u32, Duration, &[u8]); 3] = [
        (1, ms(0), b"one"),
        (2, ms(5), b"twothree"),
        (9, ms(70), b"four"),
    ];
    assert_eq!(pieces, expected);
}

#[test]
fn a_long_one_keeps_its_start_and_its_end() {
    let (mut lane, memory) = lane(1 << 20);
    let all = bytes(0, 5_000_000);
    for (number, piece) in (0..).zip(all.chunks(10_007)) {
        lane.push(number, Duration::ZERO, piece);
    }
    check(&mut lane, &all);
    let extent = lane.extent();
    assert_eq!(extent.missing_at, HEAD_BYTES_MAX as u64);
    let kept = HEAD_BYTES_MAX + TAIL_BYTES_MAX;
    assert_eq!(extent.missing, extent.total - kept as u64);
    assert!(memory.used() <= kept + (HEAD_PIECES_MAX + TAIL_PIECES_MAX) * MARK_BYTES);
    assert!(lane.head.capacity() <= HEAD_BYTES_MAX && lane.tail.capacity() <= TAIL_BYTES_MAX);
    drop(lane);
    assert_eq!(memory.used(), 0);
}

#[test]
fn the_oldest_place_within_the_tail_is_kept() {
    let (mut lane, memory) = lane(1 << 20);
    let place = |number: usize| {
        let text = format!(
            "size {} lane 0 left 0 timestamps unknown staged -",
            number + 1
        );
        text.parse::<ChunkPlace>().unwrap()
    };
    let piece = bytes(0, 1000);
    let mut asked = 0;
    for number in 0..2000 {
        let told = || {
            asked += 1;
            Some(place(number))
        };
        lane.push_read(u32::try_from(number).unwrap(), Duration::ZERO, &piece, told);
        let Some(resume) = lane.resume() else {
            assert!(lane.extent().missing == 0, "no place behind a gap");
            continue;
        };
        // The place of a piece stands before its first byte, and little is lost.
        let extent = lane.extent();
        let index = (0..=number)
            .find(|index| place(*index) == resume.place)
            .unwrap();
        assert_eq!(resume.kept + extent.missing, index as u64 * 1000);
        assert!(resume.kept - extent.missing_at < PLACE_STEP + 1000);
        assert!(lane.places.len() <= PLACES_MAX);
    }
    assert!(asked <= 2_000_000 / usize::try_from(PLACE_STEP).unwrap());
    assert!(memory.used() <= 320 << 10);
}

#[test]
fn a_push_longer_than_the_lane() {
    let (mut lane, _) = lane(1 << 20);
    let all = bytes(0, 600_000);
    lane.push(1, Duration::ZERO, &all[..10]);
    lane.push(2, Duration::ZERO, &all[10..]);
    check(&mut lane, &all);
}

#[test]
fn a_peer_that_dribbles_cannot_make_marks_without_end() {
    let (mut lane, memory) = lane(1 << 20);
    let all = bytes(0, 300_000);
    for (number, byte) in (0..).zip(&all) {
        lane.push(number, Duration::ZERO, &[*byte]);
    }
    check(&mut lane, &all);
    assert!(memory.used() <= 300 << 10);
    assert!(lane.tail_marks.capacity() <= 1024 + 1);
}

#[test]
fn without_memory_nothing_is_kept_but_counts() {
    let (mut lane, memory) = lane(1000);
    let all = bytes(0, 300_000);
    lane.push(1, Duration::ZERO, &all);
    check(&mut lane, &all);
    assert_eq!(lane.extent().missing, 300_000);
    assert_eq!(memory.used(), 0);
}

#[test]
fn the_latest_leave_a_quarter_of_the_memory_to_starts() {
    let max = 1 << 20;
    let memory = Arc::new(Memory::new(max));
    let all = bytes(0, 1_000_000);
    let mut lanes: Vec<Lane> = (0..4)
        .map(|_| {
            let mut lane = Lane::new(Arc::clone(&memory));
            lane.push(1, Duration::ZERO, &all);
            lane
        })
        .collect();
    // They hold all that they can get; a new one has room for its start all the same.
    let mut late = Lane::new(Arc::clone(&memory));
    late.push(1, Duration::ZERO, &all[..3000]);
    check(&mut late, &all[..3000]);
    assert_eq!(late.extent().missing, 0);
    for lane in &mut lanes {
        check(lane, &all);
    }
    assert!(memory.used() <= max);
    drop((lanes, late));
    assert_eq!(memory.used(), 0);
}

proptest! {
    #[test]
    fn any_pushes(
        sizes in prop::collection::vec(prop_oneof![0_usize..20, 0_usize..90_000], 0..40),
        memory_max in prop_oneof![Just(1_usize << 20), 0_usize..400_000],
    ) {
        let (mut lane, memory) = lane(memory_max);
        let mut all = Vec::new();
        for (number, size) in (0..).zip(sizes) {
            let piece = bytes(all.len(), size);
            lane.push(number, Duration::ZERO, &piece);
            all.extend_from_slice(&piece);
        }
        check(&mut lane, &all);
        prop_assert!(memory.used() <= memory_max);
        drop(lane);
        prop_assert_eq!(memory.used(), 0);
    }
}
