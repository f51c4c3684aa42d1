//! A Postgres of one test's own, which may be stopped and frozen as no shared one may.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

pub struct PostgresServer {
    dir: PathBuf,
    pub url: String,
    _folder: TempDir,
}

impl PostgresServer {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // It runs as a user of its own, who must pass through.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).expect("it is ours");
        let dir = folder.path().join("postgres");
        let url = script("start", &dir);
        Self { dir, url, _folder: folder }
    }

    /// At once, without a word to whoever is connected.
    pub fn halt(&self) {
        script("halt", &self.dir);
    }

    /// At the port where it was.
    pub fn start_again(&self) {
        assert_eq!(script("start", &self.dir), self.url, "somebody took its port");
    }

    /// It keeps its connections and answers nothing, until [`Self::thaw`].
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let file = std::fs::read_to_string(self.dir.join("data/postmaster.pid")).expect("it runs");
        let postmaster = file.lines().next().expect("its first line").to_owned();
        // The one that makes new processes first, or one of them would be missed.
        send(name, &postmaster);
        let children = format!("/proc/{postmaster}/task/{postmaster}/children");
        for child in std::fs::read_to_string(children).expect("Linux").split_whitespace() {
            send(name, child);
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.thaw();
        script("stop", &self.dir);
    }
}

/// One that ended meanwhile needs no signal.
fn send(signal: &str, process: &str) {
    Command::new("kill").args(["-s", signal, process]).status().expect("kill runs");
}

/// What it prints.
fn script(what: &str, dir: &Path) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/postgres.sh");
    let done = Command::new(script).arg(what).arg(dir).output().expect("a shell");
    assert!(done.status.success(), "postgres.sh {what}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("UTF-8").trim().to_owned()
}
