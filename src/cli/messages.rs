//! The message log as a file, through a running gateway.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use tokio::fs::File;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::client::{Client, Connection};
use crate::config::Config;

/// A gateway that looks through a log of many millions for a few may say nothing for so long.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, Subcommand)]
pub enum MessagesCommand {
    /// Write the log as CSV or JSON Lines, newest first
    ///
    /// A file that does not come whole is not left under its name. Exit code: 1 when it did not.
    Export(ExportArguments),
}

#[derive(Debug, Args)]
pub struct ExportArguments {
    #[command(flatten)]
    connection: Connection,
    #[arg(long, default_value = "csv")]
    format: FormatChoice,
    /// Where to; by default to standard output
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Words that must be in a message
    #[arg(long)]
    search: Option<String>,
    /// Only of this session
    #[arg(long)]
    session: Option<String>,
    /// Only of this chat: its JID, or a number
    #[arg(long)]
    chat: Option<String>,
    /// Only with this number
    #[arg(long)]
    phone: Option<String>,
    /// `in` or `out`
    #[arg(long)]
    direction: Option<String>,
    #[arg(long)]
    status: Option<String>,
    /// `text`, `image` and so on
    #[arg(long = "type")]
    kind: Option<String>,
    /// From this time on
    #[arg(long)]
    from: Option<String>,
    /// Before this time
    #[arg(long)]
    to: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatChoice {
    Csv,
    Jsonl,
}

pub async fn messages(config: &Config, command: MessagesCommand) -> anyhow::Result<()> {
    let MessagesCommand::Export(arguments) = command;
    let path = path_of(&arguments);
    let api = arguments.connection.open(config)?;
    match arguments.output {
        None => copy(&api, &path, &mut tokio::io::stdout()).await,
        Some(output) => {
            let part = with_suffix(&output, ".part");
            let written = write(&api, &path, &part).await;
            if written.is_err() {
                let _ = tokio::fs::remove_file(&part).await;
            }
            written?;
            tokio::fs::rename(&part, &output)
                .await
                .with_context(|| format!("cannot write {}", output.display()))
        }
    }
}

fn path_of(arguments: &ExportArguments) -> String {
    let ExportArguments { search, session, chat, phone, direction, status, kind, from, to, .. } = arguments;
    let format = match arguments.format {
        FormatChoice::Csv => "csv",
        FormatChoice::Jsonl => "jsonl",
    };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("format", format);
    for (name, value) in [
        ("search", search),
        ("sessionId", session),
        ("chat", chat),
        ("phone", phone),
        ("direction", direction),
        ("status", status),
        ("type", kind),
        ("from", from),
        ("to", to),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    format!("/api/whatsapp/messages/export?{}", query.finish())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

async fn write(api: &Client, path: &str, to: &Path) -> anyhow::Result<()> {
    let mut file = File::create(to).await.with_context(|| format!("cannot write {}", to.display()))?;
    copy(api, path, &mut file).await?;
    file.sync_all().await?;
    Ok(())
}

async fn copy(api: &Client, path: &str, to: &mut (impl AsyncWrite + Unpin)) -> anyhow::Result<()> {
    let mut answer = api.stream(path).await?;
    loop {
        let part =
            tokio::time::timeout(PATIENCE, answer.chunk()).await.context("the gateway sends nothing more")?;
        let Some(part) = part.context("the file was cut off; ask again")? else { break };
        to.write_all(&part).await?;
    }
    to.flush().await?;
    Ok(())
}
