//! Replays the fuzz corpus on stable: every seed, and every input that once broke something.

#[path = "../fuzz/src/lib.rs"]
mod bodies;

use std::fs;
use std::path::Path;

fn replay(name: &str) {
    let (_, body) = bodies::BODIES
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/fuzz")
        .join(name);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // Shown only when the body panics.
        eprintln!("{}", path.display());
        body(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count > 0, "no corpus in {}", folder.display());
}

/// One test for each fuzz body, so that a failure names it.
macro_rules! replays {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        #[test]
        fn no_body_is_forgotten() {
            let replayed = [$(stringify!($name)),*];
            let known: Vec<&str> = bodies::BODIES.iter().map(|(name, _)| *name).collect();
            assert_eq!(known, replayed);
        }
    };
}

replays! { handshake chunk amf flv server_session client_session annexb url forms codecs authentication config flight live narrator http websocket }

/// The whole input space of the first bytes, which a short fuzz run covers only by chance.
#[test]
fn short_inputs() {
    for (_, body) in bodies::BODIES {
        body(&[]);
        for first in 0..=255 {
            body(&[first]);
            for second in 0..=255 {
                body(&[first, second]);
            }
        }
    }
}
