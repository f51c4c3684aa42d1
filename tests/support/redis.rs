//! A Redis of a test's own, which can be restarted, stopped, flushed and filled. It keeps nothing.
//!
//! The test binaries that need it compile this file by its path; a package for one struct would be one
//! more thing to build and to find.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// On a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(30);

pub struct Redis {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Redis {
    pub async fn start() -> Self {
        loop {
            let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
            let port = free.expect("a free port").port();
            let folder = tempfile::tempdir().expect("a folder");
            let mut redis = Self { child: spawn(port, &folder), port, folder };
            // Somebody else may take the port first; then ours ends.
            if redis.is_up_or_over().await {
                return redis;
            }
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The beginning of its answer to a line; `None` while it does not answer.
    pub fn ask(&self, line: &str) -> Option<String> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        socket.write_all(format!("{line}\r\n").as_bytes()).ok()?;
        let mut answer = [0; 4096];
        let size = socket.read(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer[..size]).into_owned())
    }

    pub async fn until_up(&mut self) {
        assert!(self.is_up_or_over().await, "redis-server ended by itself");
    }

    /// `STOP` lets it hang, `CONT` lets it go on.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// It comes back empty, soon.
    pub fn restart(&mut self) {
        self.end();
        self.child = spawn(self.port, &self.folder);
    }

    async fn is_up_or_over(&mut self) -> bool {
        let ours = format!("process_id:{}\r", self.child.id());
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline {
            if self.ask("INFO server").is_some_and(|answer| answer.contains(&ours)) {
                return true;
            }
            if self.child.try_wait().expect("our own child").is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server does not answer within {START_PATIENCE:?}");
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(port: u16, folder: &TempDir) -> Child {
    let server = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn();
    server.expect("redis-server runs; `./test` installs it")
}
