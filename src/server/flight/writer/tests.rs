//! Names of recordings, and which files are taken for ours.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use super::*;
use crate::rtmp::flight::Extent;

fn facts(peer: &str, stream: Option<&str>) -> Facts {
    Facts {
        version: String::new(),
        peer: peer.parse().unwrap(),
        listener: "192.0.2.1:1935".parse().unwrap(),
        began: Duration::from_micros(1_763_938_859_003_056),
        stream: stream.map(str::to_owned),
        received: Extent::default(),
        sent: Extent::default(),
        resume: None,
        lasted: Duration::ZERO,
        end: String::new(),
    }
}

#[test]
fn names_say_when_who_and_what() {
    let long = "a".repeat(500);
    for (peer, stream, name) in [
        ("192.0.2.7:40112", None, "192.0.2.7-40112"),
        ("[::ffff:192.0.2.7]:4", None, "192.0.2.7-4"),
        (
            "[2001:db8::7]:4",
            Some("live/door"),
            "2001.db8..7-4-live_door",
        ),
        (
            "192.0.2.7:4",
            Some("../../etc/passwd\0\n*ü"),
            "192.0.2.7-4-.._.._etc_passwd____",
        ),
        (
            "192.0.2.7:4",
            Some(&long),
            &format!("192.0.2.7-4-{}", "a".repeat(64)),
        ),
    ] {
        let name = format!("flight-20251123T230059.003056Z-{name}.pcapng");
        let got = file_name(&facts(peer, stream));
        assert_eq!(got, name);
        assert!(is_own(&got) && is_own(&format!("{got}.part")), "{got}");
    }
}

#[test]
fn other_files_are_not_ours() {
    for name in [
        "",
        "flight-.pcapng",
        "flight-report.pcapng",
        "flight-20251123T230059.003056Z-.pcapng",
        "flight-20251123T230059.003056Z-192.0.2.7-4.pcap",
        "flight-20251123T230059.003056Z-192.0.2.7-4.pcapng.bak",
        "my-flight-20251123T230059.003056Z-192.0.2.7-4.pcapng",
        "flight-2025-1123T230059.03056Z-192.0.2.7-4.pcapng",
        "flight-ü0251123T230059.003056Z-192.0.2.7-4.pcapng",
    ] {
        assert!(!is_own(name), "{name}");
    }
}
