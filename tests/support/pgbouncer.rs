//! A PgBouncer of a test's own in front of a Postgres, as Debian installs it but for the mode.
//!
//! The test binaries that need it compile this file by its path, as they do `redis.rs`.

use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// On a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(30);

pub struct PgBouncer {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl PgBouncer {
    /// Before the server and database of a `postgres://` URL; `more` are lines of its own settings.
    pub async fn before(postgres: &str, mode: &str, more: &[&str]) -> Self {
        let (user, rest) =
            postgres.split_once("://").and_then(|(_, rest)| rest.split_once('@')).expect("a user");
        let (address, database) = rest.split_once('/').expect("a database");
        let (host, port) = address.split_once(':').expect("a port");
        loop {
            let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
            let own = free.expect("a free port").port();
            let folder = tempfile::tempdir().expect("a folder");
            let users = folder.path().join("users.txt");
            std::fs::write(&users, format!("\"{user}\" \"\"\n")).expect("a file");
            let mut settings = format!(
                "[databases]\n{database} = host={host} port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {own}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\n",
                users.display()
            );
            more.iter().for_each(|line| writeln!(settings, "{line}").expect("text"));
            let file = folder.path().join("pgbouncer.ini");
            std::fs::write(&file, settings).expect("a file");
            let mut child = spawn(folder.path(), &file);
            if is_up_or_over(&mut child, own).await {
                let url = format!("postgres://{user}@127.0.0.1:{own}/{database}");
                return Self { child, url, _folder: folder };
            }
        }
    }

    /// The same database, through it.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As root it runs as nobody, who must be let into the folder.
fn spawn(folder: &Path, settings: &Path) -> Child {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("our own folder");
    let program = if Path::new("/usr/sbin/pgbouncer").exists() { "/usr/sbin/pgbouncer" } else { "pgbouncer" };
    let mut command = Command::new(program);
    let me = Command::new("id").arg("-u").output().expect("id runs");
    if me.stdout.trim_ascii() == b"0" {
        command.args(["-u", "nobody"]);
    }
    let bouncer = command.arg(settings).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    bouncer.expect("pgbouncer runs; `./test` installs it")
}

/// Somebody else may take the port first; then ours ends.
async fn is_up_or_over(child: &mut Child, port: u16) -> bool {
    let deadline = Instant::now() + START_PATIENCE;
    while Instant::now() < deadline {
        if child.try_wait().expect("our own child").is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("pgbouncer does not answer within {START_PATIENCE:?}");
}
