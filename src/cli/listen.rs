//! What happens to a tenant, live in a terminal, and passed on to a program under development.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::value::RawValue;
use wapid_core::clock::{At, Clock};
use wapid_core::endpoint::{Format, Settings};
use wapid_core::event::Event;
use wapid_core::id::{EventId, SessionId, TenantId};
use wapid_core::key::Mode;
use wapid_core::signature::Secret;
use wapid_core::store::endpoints::Keys;

use super::client::{self, CallError, Client, Connection};
use crate::config::Config;
use crate::delivery::Trial;

/// A request waits so long at the gateway, in seconds.
const WAIT: u64 = 25;
/// A gateway that takes longer than this is as good as away.
const PATIENCE: Duration = Duration::from_secs(WAIT + 10);
const AWAY_PAUSE: Duration = Duration::from_secs(1);
/// What a shell makes of a command that Ctrl-C ended: nothing after `&&` runs.
const INTERRUPTED: u8 = 130;

#[derive(Debug, Args)]
pub struct ListenArguments {
    #[command(flatten)]
    connection: Connection,
    /// Only these, with commas: `message.received`, `message.*`
    #[arg(long)]
    types: Option<String>,
    /// Only of these sessions, with commas
    #[arg(long)]
    session: Option<String>,
    /// Begin after this event or position, or with `oldest`
    #[arg(long, default_value = "now")]
    after: String,
    /// Post each event to this URL, signed as a webhook is
    #[arg(long)]
    forward: Option<url::Url>,
    /// Signs what is forwarded; made and shown where it is left out
    #[arg(long, requires = "forward", env = "WAPID_WEBHOOK_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// The shape of what is forwarded
    #[arg(long, requires = "forward", default_value = "standard")]
    format: FormatChoice,
    /// Print each event as one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatChoice {
    Standard,
    Classic,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    tenant_id: TenantId,
    mode: Mode,
    events: Vec<Box<RawValue>>,
    next_after: i64,
}

/// An event as the API tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    id: EventId,
    #[serde(rename = "type")]
    kind: String,
    version: i64,
    position: i64,
    session_id: Option<SessionId>,
    sequence: Option<i64>,
    occurred_at: String,
    data: Box<RawValue>,
}

impl Told {
    fn event(self) -> anyhow::Result<Event> {
        let occurred_at = At::parse(&self.occurred_at);
        Ok(Event {
            id: self.id,
            kind: self.kind,
            version: self.version,
            position: self.position,
            session_id: self.session_id,
            seq: self.sequence,
            occurred_at: occurred_at.ok_or_else(|| anyhow::anyhow!("an event's time does not read"))?,
            data: self.data,
        })
    }
}

/// Where events are passed on to.
struct Forward {
    http: reqwest::Client,
    settings: Settings,
    keys: Keys,
}

impl Forward {
    fn new(url: url::Url, secret: Option<String>, format: FormatChoice) -> anyhow::Result<Self> {
        let secret = match secret {
            Some(text) => Secret::parse(&text)?,
            None => {
                let secret = Secret::generate();
                note(&format!("Signing with {}", secret.reveal()));
                secret
            }
        };
        let format = match format {
            FormatChoice::Standard => Format::Standard,
            FormatChoice::Classic => Format::Classic,
        };
        let settings = Settings::of(url, format);
        Ok(Self { http: client::http()?, settings, keys: Keys::of(Some(secret), vec![]) })
    }

    /// Once: who wants more makes an endpoint.
    async fn send(&self, (tenant, mode): (&TenantId, Mode), event: &Event) -> anyhow::Result<String> {
        let at = Clock::System.now();
        let trial = Trial { tenant, mode, settings: &self.settings, keys: &self.keys, event, at };
        let signed = trial.signed()?;
        let mut request = self.http.post(&self.settings.url).header(CONTENT_TYPE, "application/json");
        for (name, value) in signed.headers {
            request = request.header(name, value);
        }
        let begun = Instant::now();
        Ok(match request.body(signed.body).send().await {
            Ok(answer) => format!("-> {} in {} ms", answer.status(), begun.elapsed().as_millis()),
            Err(problem) => format!("-> {problem}"),
        })
    }
}

pub async fn listen(config: &Config, arguments: ListenArguments) -> anyhow::Result<ExitCode> {
    tokio::select! {
        ended = follow(config, arguments) => ended,
        stopped = tokio::signal::ctrl_c() => {
            stopped?;
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

async fn follow(config: &Config, arguments: ListenArguments) -> anyhow::Result<ExitCode> {
    let ListenArguments { connection, types, session, mut after, forward, secret, format, json } = arguments;
    let api = connection.open(config)?;
    let forward = forward.map(|url| Forward::new(url, secret, format)).transpose()?;
    let mut filter = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("types", types), ("sessionId", session)] {
        if let Some(value) = value {
            filter.append_pair(name, &value);
        }
    }
    let filter = filter.finish();
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    // A gateway that never answered is a wrong address rather than one that is away.
    let mut page = ask(&api, &after, &filter, 0).await?;
    note(&format!("Listening to {} ({} mode); Ctrl-C ends it", api.url(), page.mode.as_str()));
    let mut is_away = false;
    loop {
        after = page.next_after.to_string();
        for raw in std::mem::take(&mut page.events) {
            let event = serde_json::from_str::<Told>(raw.get())?.event()?;
            let line = if json { raw.get().to_owned() } else { line(&event, &zone) };
            say(&line)?;
            if let Some(forward) = &forward {
                let result = forward.send((&page.tenant_id, page.mode), &event).await?;
                if json { note(&result) } else { say(&format!("         {result}"))? }
            }
        }
        match ask(&api, &after, &filter, WAIT).await {
            Ok(next) => {
                page = next;
                if std::mem::take(&mut is_away) {
                    note("The gateway is back");
                }
            }
            Err(problem) if problem.is_away() => {
                if !std::mem::replace(&mut is_away, true) {
                    note(&format!("{problem}; still listening"));
                }
                tokio::time::sleep(AWAY_PAUSE).await;
            }
            Err(problem) => return Err(problem.into()),
        }
    }
}

async fn ask(api: &Client, after: &str, filter: &str, wait: u64) -> Result<Page, CallError> {
    let after: String = url::form_urlencoded::byte_serialize(after.as_bytes()).collect();
    let path = format!("/api/whatsapp/events?after={after}&wait={wait}&{filter}");
    match tokio::time::timeout(PATIENCE, api.read(&path)).await {
        Ok(answer) => answer,
        Err(_) => Err(CallError::Silent { url: api.url().to_owned() }),
    }
}

/// `10:30:00  message.received      main  {"messageId":…}`
fn line(event: &Event, zone: &TimeZone) -> String {
    let at = jiff::Timestamp::from_millisecond(event.occurred_at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let at = at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string();
    let session = event.session_id.as_ref().map_or("-", SessionId::as_str);
    format!("{at}  {:<22} {session:<10} {}", event.kind, event.data.get())
}

/// Unlike `println!`, no panic where the reader has gone: `wapid listen | head -1`.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Beside what is printed, so that a pipe carries events alone.
#[expect(clippy::print_stderr, reason = "commands speak to whoever typed them")]
fn note(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("\u{1b}[2m{text}\u{1b}[0m");
    } else {
        eprintln!("{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_as_the_api_tells_it_and_fits_on_a_line() {
        let text = r#"{"id":"evt_1","type":"message.received","version":1,"position":7,"sessionId":"main",
            "sequence":3,"occurredAt":"2026-03-08T10:30:00.000Z","data":{"body":"hi"}}"#;
        let event = serde_json::from_str::<Told>(text).unwrap().event().unwrap();
        assert_eq!(
            line(&event, &TimeZone::UTC),
            r#"10:30:00  message.received       main       {"body":"hi"}"#
        );
        let whole: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&event).unwrap(), whole);
    }
}
