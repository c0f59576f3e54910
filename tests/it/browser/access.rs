//! Our own pages for everybody: by keyboard, with a screen reader, on a phone, in light and in dark.

use serde_json::json;

use super::{drive, end, publish, told};
use crate::support::server::Server;

#[test]
fn pages_are_for_the_keyboard_for_screen_readers_and_for_phones() {
    let server = Server::start(&["--play-wait", "1"]);
    let publisher = publish(&server, &["live/cam"]);
    let own = json!({ "name": "live/cam", "missing": "live/missing" });
    let shown = told(drive("access.mjs", &server, &own));
    assert_eq!(shown["faults"], json!([]));
    let keyboard = &shown["keyboard"];
    assert_eq!(keyboard["faults"], json!([]));
    let in_order = [
        "Skip to the live streams",
        "Millstream",
        "live/cam",
        "API",
        "Metrics",
    ];
    assert_eq!(keyboard["dashboard"], json!(in_order));
    assert_eq!(keyboard["skipsTo"], "main");
    let in_order = [
        "Millstream",
        "All live streams",
        "Unmute",
        "Way of playing",
        "Full screen",
    ];
    assert_eq!(keyboard["player"], json!(in_order));
    let done = [
        "M is heard",
        "the volume goes down",
        "Space mutes",
        "M in the list is MSE",
        "the screen is full",
        "F leaves the full screen",
    ];
    assert_eq!(keyboard["done"], json!(done));
    for (page, wanted) in [
        ("dashboard", "- heading \"Live streams\" [level=1]"),
        ("dashboard", "- list \"Live streams\":"),
        ("dashboard", "- link \"live/cam\":"),
        ("player", "- region \"Picture\":"),
        ("player", "- img \"Live picture of live/cam\""),
        ("player", "- group \"Controls\":"),
        ("player", "- slider \"Volume\" [disabled]"),
        ("player", "- heading \"live/cam\" [level=1]"),
    ] {
        let tree = keyboard["tree"][page].as_str().unwrap();
        assert!(tree.contains(wanted), "{wanted}: {tree}");
    }
    end(publisher);
    server.stop();
}
