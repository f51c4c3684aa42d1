//! A Redis of a test's own that speaks TLS alone, or not at all, and wants a password.
//!
//! The test binaries that need it compile this file by its path, as they do `redis.rs`.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::authority::Files;

/// On a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// No log and no error may name it.
pub const PASSWORD: &str = "hush-hush";

pub struct LockedRedis {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl LockedRedis {
    /// With a certificate it speaks TLS, without one it does not.
    pub async fn start(certificate: Option<&Files>) -> Self {
        loop {
            let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
            let port = free.expect("a free port").port().to_string();
            let folder = tempfile::tempdir().expect("a folder");
            let mut command = Command::new("redis-server");
            command.args(["--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD, "--dir"]);
            command.arg(folder.path());
            match certificate {
                Some(files) => {
                    command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"]);
                    command.arg("--tls-cert-file").arg(&files.certificate);
                    command.arg("--tls-key-file").arg(&files.key);
                    command.arg("--tls-ca-cert-file").arg(&files.certificate)
                }
                None => command.args(["--port", &port]),
            };
            let child = command.stdout(Stdio::null()).spawn();
            let child = child.expect("redis-server runs; `./test` installs it");
            let mut redis = Self { child, port: port.parse().expect("a number"), _folder: folder };
            // Somebody else may take the port first; then ours ends.
            if redis.is_up_or_over().await {
                return redis;
            }
        }
    }

    /// By its scheme: `redis`, `rediss`.
    pub fn url(&self, scheme: &str, password: &str) -> String {
        format!("{scheme}://:{password}@127.0.0.1:{}", self.port)
    }

    async fn is_up_or_over(&mut self) -> bool {
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline {
            if self.child.try_wait().expect("our own child").is_some() {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server does not answer within {START_PATIENCE:?}");
    }
}

impl Drop for LockedRedis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
