//! Every setting. Flags win over environment variables, which win over defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret as _, SecretString};
use wapid_core::media::{DOCUMENT_LIMIT_MAX, Limits};
use wapid_core::private;
use wapid_core::store::Durability;
use wapid_sandbox::{ControlToken, ControlTokenError};
use wapid_workers::Queue;

use crate::outgoing::Allow;
use crate::{listen, media};

/// The settings of a gateway.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where to listen for HTTP: `127.0.0.1:8080`, `localhost:8080`, or `:8080` for every machine
    #[arg(long, global = true, env = "WAPID_LISTEN", default_value = "127.0.0.1:8080", value_parser = listen::parse)]
    pub listen: SocketAddr,

    /// Where the world finds this gateway, as in `https://chat.shop.example/wapid`: links to files begin with it; unset:
    /// they are paths
    #[arg(long, global = true, env = "WAPID_PUBLIC_URL")]
    pub public_url: Option<PublicUrl>,

    /// Whoever shows it as `Authorization: Bearer` reads `/metrics`, from anywhere; unset: this machine alone does
    #[arg(long, global = true, env = "WAPID_METRICS_KEY", hide_env_values = true)]
    pub metrics_key: Option<MetricsKey>,

    /// Where `/metrics` is served alone, and no longer beside the API: `127.0.0.1:9090`, or an address that Prometheus reaches
    #[arg(long, global = true, env = "WAPID_METRICS_LISTEN", value_parser = listen::parse)]
    pub metrics_listen: Option<SocketAddr>,

    /// Everything that wapid keeps on disk
    #[arg(long, global = true, env = "WAPID_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// `sqlite://path` or `postgres://…`; unset: SQLite in the data folder
    #[arg(long, global = true, env = "WAPID_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<SecretString>,

    /// `redis://…` for wake-ups, or `rediss://…` with TLS; unset: a file in the data folder
    #[arg(long, global = true, env = "WAPID_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<SecretString>,

    /// The certificates (PEM) of who may have signed that of a Redis with TLS; unset: whom the system trusts
    #[arg(long, global = true, env = "WAPID_REDIS_CA", requires = "redis_url")]
    pub redis_ca: Option<PathBuf>,

    /// 64 hex digits that seal every secret; unset: made once and kept in the data folder
    #[arg(long, global = true, env = "WAPID_MASTER_KEY", hide_env_values = true)]
    pub master_key: Option<SecretString>,

    /// What an answered request survives: `power` (a power cut too) or `process` (any crash of
    /// wapid, and faster)
    #[arg(long, global = true, env = "WAPID_DURABILITY", default_value = "power")]
    pub durability: DurabilityChoice,

    /// A sandbox in another process instead of the embedded one
    #[arg(long, global = true, env = "WAPID_SANDBOX_URL", requires_all = ["sandbox_key", "sandbox_token"])]
    pub sandbox_url: Option<String>,

    /// The static key of that sandbox, in hex; `wapid sandbox` prints it
    #[arg(long, global = true, env = "WAPID_SANDBOX_KEY")]
    pub sandbox_key: Option<String>,

    /// What control calls of that sandbox carry; `wapid sandbox` prints it, or takes it from here
    #[arg(long, global = true, env = "WAPID_SANDBOX_TOKEN", hide_env_values = true, value_parser = control_token)]
    pub sandbox_token: Option<ControlToken>,

    /// What webhooks and the URLs of files may reach although it is not on the internet: networks, addresses, host names and
    /// ports, as in `10.0.0.0/8,hooks.intranet,:5678`
    #[arg(long, global = true, env = "WAPID_SSRF_ALLOW", default_value = "", hide_default_value = true)]
    pub ssrf_allow: Allow,

    /// Where files are kept: `s3://bucket/prefix`, with S3's own variables (`AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`); unset: in the data folder
    #[arg(long, global = true, env = "WAPID_MEDIA_URL")]
    pub media_url: Option<String>,

    /// Files on their way at a time
    #[arg(long, global = true, env = "WAPID_MEDIA_TRANSFERS", default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub media_transfers: u16,

    /// What the files of one tenant may take, in each mode: bytes, or as in `10GiB`
    #[arg(long, global = true, env = "WAPID_MEDIA_TENANT_MAX", default_value = "10GiB", value_parser = some)]
    pub media_tenant_max: Size,

    /// How large a document may be, up to 2GiB
    #[arg(long, global = true, env = "WAPID_MEDIA_DOCUMENT_MAX", default_value = "100MiB", value_parser = document)]
    pub media_document_max: Size,

    /// Files of messages that arrive are fetched by themselves up to this size; larger ones when somebody asks
    #[arg(long, global = true, env = "WAPID_MEDIA_AUTO_MAX", default_value = "64MiB")]
    pub media_auto_max: Size,

    /// The program that makes voice notes of other sounds
    #[arg(long, global = true, env = "WAPID_FFMPEG", default_value = "ffmpeg")]
    pub ffmpeg: String,

    /// Shown on phones in the list of linked devices
    #[arg(long, global = true, env = "WAPID_DEVICE_NAME", default_value = "wapid")]
    pub device_name: String,

    /// Where live sessions dial. Certificates are verified whatever it says
    #[arg(
        long,
        global = true,
        env = "WAPID_WHATSAPP_URL",
        default_value = "wss://web.whatsapp.com/ws/chat",
        hide = true
    )]
    pub whatsapp_url: String,
}

fn control_token(text: &str) -> Result<ControlToken, ControlTokenError> {
    ControlToken::parse(text.trim())
}

/// Where a proxy takes requests for us, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(pub String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address of a site; write one such as https://chat.shop.example, or with a path")]
pub struct PublicUrlError(String);

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let no_site = || PublicUrlError(text.to_owned());
        let url = url::Url::parse(text.trim()).map_err(|_| no_site())?;
        let is_site = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if is_site { Ok(Self(url.as_str().trim_end_matches('/').to_owned())) } else { Err(no_site()) }
    }
}

/// The key of `/metrics`.
#[derive(Debug, Clone)]
pub struct MetricsKey(pub SecretString);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key has at least {METRICS_KEY_MIN} characters, all of them letters, digits or signs of ASCII; make one with `openssl rand -hex 32`"
)]
pub struct MetricsKeyError;

/// Nobody guesses so many.
const METRICS_KEY_MIN: usize = 16;

impl FromStr for MetricsKey {
    type Err = MetricsKeyError;

    fn from_str(text: &str) -> Result<Self, MetricsKeyError> {
        let is_key = text.len() >= METRICS_KEY_MIN && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_key { Ok(Self(text.to_owned().into())) } else { Err(MetricsKeyError) }
    }
}

/// A number of bytes: `1048576`, `64KiB`, `100MiB`, `10GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    #[error("`{0}` is no size: write a number of bytes, or one with KiB, MiB or GiB")]
    NotASize(String),
    #[error("at least 1 byte: with 0 no file could be stored")]
    Nothing,
    #[error("at most 2GiB, which is what WhatsApp takes")]
    TooMuch,
}

/// A size that lets a file through.
fn some(text: &str) -> Result<Size, SizeError> {
    text.parse().and_then(|size: Size| if size.0 > 0 { Ok(size) } else { Err(SizeError::Nothing) })
}

/// One that WhatsApp takes.
fn document(text: &str) -> Result<Size, SizeError> {
    some(text).and_then(|size| if size.0 <= DOCUMENT_LIMIT_MAX { Ok(size) } else { Err(SizeError::TooMuch) })
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("", 0)];
        let (number, shift) = units
            .into_iter()
            .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim(), shift)))
            .unwrap_or((text, 0));
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
        bytes.map(Self).ok_or_else(|| SizeError::NotASize(text.to_owned()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DurabilityChoice {
    Power,
    Process,
}

impl From<DurabilityChoice> for Durability {
    fn from(choice: DurabilityChoice) -> Self {
        match choice {
            DurabilityChoice::Power => Self::Power,
            DurabilityChoice::Process => Self::Process,
        }
    }
}

impl Config {
    /// The database: named, or in the data folder.
    pub fn database_url(&self) -> String {
        self.database_url.as_ref().map_or_else(
            || format!("sqlite://{}", self.data_dir.join("wapid.db").display()),
            |url| url.expose_secret().to_owned(),
        )
    }

    /// Where wake-ups wait.
    pub fn queue(&self) -> Queue {
        self.redis_url.as_ref().map_or_else(
            || Queue::Sqlite(self.data_dir.join("wakeups.db")),
            |url| Queue::Redis { url: url.expose_secret().to_owned(), authority: self.redis_ca.clone() },
        )
    }

    /// The media store.
    pub fn media(&self) -> media::Settings {
        media::Settings {
            folder: self.data_dir.join("media"),
            url: self.media_url.clone(),
            transfers: self.media_transfers.into(),
            tenant_max: self.media_tenant_max.0,
            limits: Limits { document: self.media_document_max.0 },
            ffmpeg: self.ffmpeg.clone(),
        }
    }

    /// The data folder, made if need be, for our user alone.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn prepare_data_dir(&self) -> anyhow::Result<()> {
        let dir = &self.data_dir;
        let hint = || format!("cannot make the data folder {}; set WAPID_DATA_DIR", dir.display());
        // Who may look into a folder that was there already its owner decides; what we put into it is for us alone.
        private::make_folder(dir).with_context(hint)?;
        let writable = tempfile::tempfile_in(dir).map(drop);
        let hint = || {
            format!(
                "cannot write the data folder {}; let this user own it, or set WAPID_DATA_DIR",
                dir.display()
            )
        };
        writable.with_context(hint)
    }

    /// The key that seals secrets: from the environment, or from `master.key`, made on the first
    /// start with mode 0600.
    ///
    /// # Errors
    /// When it is not 64 hex digits, or the file cannot be read or made.
    pub fn master_key(&self) -> anyhow::Result<[u8; 32]> {
        if let Some(text) = &self.master_key {
            return parse_key(text.expose_secret()).context("WAPID_MASTER_KEY");
        }
        let path = self.data_dir.join("master.key");
        match std::fs::read_to_string(&path) {
            Ok(text) => parse_key(&text).with_context(|| path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let fresh = hex::encode(rand::random::<[u8; 32]>());
                write_secret(&path, &fresh).with_context(|| format!("cannot make {}", path.display()))?;
                // Read back: another process may have been first.
                let text = std::fs::read_to_string(&path)?;
                parse_key(&text)
            }
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// This gateway's name in leases: the same for a data folder across restarts.
    ///
    /// # Errors
    /// When the file cannot be read or made.
    pub fn instance(&self) -> anyhow::Result<String> {
        let path = self.data_dir.join("instance");
        if !path.exists() {
            let fresh = format!("gw_{}", hex::encode(rand::random::<[u8; 8]>()));
            write_secret(&path, &fresh).with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(std::fs::read_to_string(&path)?.trim().to_owned())
    }
}

fn parse_key(text: &str) -> anyhow::Result<[u8; 32]> {
    let mut key = [0; 32];
    hex::decode_to_slice(text.trim(), &mut key).map_err(|_| {
        anyhow::anyhow!("a master key is 64 hex digits, such as `openssl rand -hex 32` makes")
    })?;
    Ok(key)
}

/// Whole or not at all, readable by us alone, and the first writer wins.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let draft = path.with_extension(format!("new{}", std::process::id()));
    {
        private::make(&draft)?;
        let mut file = std::fs::File::options().write(true).truncate(true).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    let placed = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match placed {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    fn config(dir: &Path) -> Config {
        Cli::parse_from(["wapid", "--data-dir", dir.to_str().unwrap()]).config
    }

    #[test]
    fn a_master_key_is_made_once_and_kept_for_us_alone() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let key = config.master_key().unwrap();
        assert_eq!(config.master_key().unwrap(), key);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(dir.path().join("master.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_bad_master_key_is_refused_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.master_key = Some("secret-but-short".to_owned().into());
        let error = format!("{:#}", config.master_key().unwrap_err());
        assert!(error.contains("WAPID_MASTER_KEY") && !error.contains("secret-but-short"), "{error}");
    }

    #[test]
    fn a_size_has_a_unit_or_none() {
        for (text, bytes) in [("0", 0), ("1048576", 1 << 20), ("64KiB", 64 << 10), ("10 GiB", 10 << 30)] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for wrong in ["", "MiB", "1.5GiB", "10GB", "-1", "99999999999GiB"] {
            assert_eq!(wrong.parse::<Size>(), Err(SizeError::NotASize(wrong.to_owned())));
        }
        assert_eq!((some("0"), some("1")), (Err(SizeError::Nothing), Ok(Size(1))));
        assert_eq!((document("2GiB"), document("3GiB")), (Ok(Size(2 << 30)), Err(SizeError::TooMuch)));
        assert_eq!(document("0"), Err(SizeError::Nothing));
    }

    #[test]
    fn a_public_url_is_a_site() {
        for (text, url) in [
            ("https://chat.shop.example", "https://chat.shop.example"),
            (" https://chat.shop.example/ ", "https://chat.shop.example"),
            ("https://shop.example:8443/wapid/", "https://shop.example:8443/wapid"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(text.parse(), Ok(PublicUrl(url.to_owned())), "{text}");
        }
        for wrong in [
            "",
            "shop.example",
            "ftp://shop.example",
            "https://u:p@shop.example",
            "https://shop.example/?a=b",
            "/wapid",
        ] {
            assert!(wrong.parse::<PublicUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_that_can_be_guessed_is_refused() {
        assert!("0123456789abcdef".parse::<MetricsKey>().is_ok());
        for weak in ["", "short", "0123456789 abcdef", "schlüsselschlüssel", "0123456789abcde\n"] {
            assert_eq!(weak.parse::<MetricsKey>().err(), Some(MetricsKeyError), "{weak}");
        }
    }

    #[test]
    fn an_instance_keeps_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        assert_eq!(config.instance().unwrap(), config.instance().unwrap());
    }
}
