//! A publisher and a player at work, who must not notice what others do to their server.

use super::flv;
use super::frames::{assert_begins, bodies};
use super::media::Sample;
use super::peers::{Player, Playing};
use super::process::Process;
use super::server::Server;
use super::tempdir::TempDir;

/// A server with one live stream that is being played.
pub(crate) struct Onlookers {
    pub(crate) server: Server,
    publisher: Process,
    player: Playing,
    _dir: TempDir,
}

impl Onlookers {
    /// Returns when media flow; `arguments` go to the server.
    #[track_caller]
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut all = vec!["--play-wait", "60"];
        all.extend_from_slice(arguments);
        let server = Server::start(&all);
        let url = server.url("live/undisturbed");
        let dir = TempDir::new();
        let player = Player::Pull.start(&url, dir.path());
        server.wait_for_waiting(1);
        let input = Sample::BFrames.path();
        let input = input.to_str().unwrap();
        let publisher = ["push", "-v", "--loop", "--no-reconnect", input, &url];
        let publisher = Process::millstream("undisturbed publisher", publisher);
        player.wait_written(10_000);
        Self {
            server,
            publisher,
            player,
            _dir: dir,
        }
    }

    /// Media go on flowing, every frame that was sent has arrived, and the server, which ends
    /// with success, has no fault of its own in its log. Returns the log.
    #[track_caller]
    pub(crate) fn finish(self) -> Vec<String> {
        self.player.wait_written(self.player.written() + 20_000);
        self.publisher.signal("INT");
        let sent = self.publisher.succeed();
        let got = self.player.finish_flv();
        let sample = flv::read(&Sample::BFrames.path()).unwrap();
        assert_begins("undisturbed player", &sample, &got);
        // "step 4: 100 video and 173 audio frames sent, ..."
        let frames = format!(
            "step 4: {} video and {} audio frames sent",
            bodies(&got, flv::VIDEO).len(),
            bodies(&got, flv::AUDIO).len()
        );
        let said = sent.stderr.join("\n");
        assert!(said.contains(&frames), "arrived: {frames}; push:\n{said}");
        assert_stops_well(self.server)
    }
}

/// SIGTERM ends it with success, and there was no fault of its own. Returns its log.
#[track_caller]
pub(crate) fn assert_stops_well(server: Server) -> Vec<String> {
    server.process.signal("TERM");
    let finished = server.process.succeed();
    for line in &finished.stderr {
        let is_fault = ["fault of ours", "panicked", "ERROR"];
        let is_fault = is_fault.iter().any(|word| line.contains(word));
        assert!(!is_fault, "{line}");
    }
    finished.stderr
}
