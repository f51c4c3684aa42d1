//! Commands.
//!
//! | file | commands |
//! |---|---|
//! | `serve` | the gateway (the default), and the sandbox alone |
//! | `admin` | tenants and keys, straight on the database; a running gateway need not stop |
//! | `link` | link a number from a terminal, through a running gateway |
//! | `job` | list, watch and steer bulk jobs, through a running gateway |
//! | `listen` | a tenant's events, live, through a running gateway |
//! | `messages` | the message log as a file, through a running gateway |
//! | `watch` | how a job is followed: a bar on a terminal, lines or JSON elsewhere |
//! | `progress` | what a job's progress reads like; pure |
//! | `demo` | a tour on the sandbox |
//! | `client` | the small HTTP client that `link`, `job`, `listen`, `messages` and `demo` share |

#![expect(clippy::print_stdout, reason = "commands speak to whoever typed them")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use wapid_core::key::Mode;

use crate::config::Config;
use crate::telemetry;

mod admin;
mod client;
mod demo;
mod job;
mod link;
mod listen;
mod messages;
mod progress;
mod serve;
mod watch;

/// Turns any WhatsApp number into an HTTP API.
#[derive(Debug, Parser)]
#[command(name = "wapid", version, about, propagate_version = true)]
pub struct Arguments {
    #[command(flatten)]
    config: Config,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway (the default)
    Serve,
    /// A tour on the sandbox: link, send, reply, a bulk job; leaves the gateway up
    Demo,
    /// Link a number: draws the QR here and follows it until the session is ready
    Link(link::LinkArguments),
    /// Bulk jobs: list, watch, pause, resume, cancel
    #[command(subcommand)]
    Job(job::JobCommand),
    /// Print what happens, live, and pass it on to a program under development
    ///
    /// A gateway that restarts meanwhile is waited for, and nothing is missed. Exit code: 130 after Ctrl-C, 1
    /// when there is nothing to listen to.
    Listen(listen::ListenArguments),
    /// The message log: export
    #[command(subcommand)]
    Messages(messages::MessagesCommand),
    /// Customer accounts
    #[command(subcommand)]
    Tenant(admin::TenantCommand),
    /// API keys
    #[command(subcommand)]
    Key(admin::KeyCommand),
    /// The sandbox network alone, over WebSocket, for any client
    ///
    /// Its phones obey whoever has the token that it prints at its start. Choose one with --sandbox-token or
    /// WAPID_SANDBOX_TOKEN; otherwise one is made, and kept in the folder.
    Sandbox {
        // Hides the gateway's global argument of this name: its id must be the same.
        #[arg(long, default_value = "127.0.0.1:7810", value_parser = crate::listen::parse)]
        listen: SocketAddr,
        /// Keep state here across restarts; without it, in memory
        #[arg(long)]
        folder: Option<PathBuf>,
        /// Serve the media host over HTTPS here, for clients that need it (Baileys, whatsmeow)
        ///
        /// The certificate is the sandbox's own: trust the authority whose PEM file it prints, for Node with
        /// NODE_EXTRA_CA_CERTS.
        #[arg(long, value_parser = crate::listen::parse)]
        media: Option<SocketAddr>,
        /// Names under which control calls may reach it, besides addresses and localhost: `sandbox,wapid.intranet`
        #[arg(long, env = "WAPID_SANDBOX_KNOWN_AS", value_delimiter = ',')]
        known_as: Vec<String>,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask a gateway whether it is ready; for container health checks
    Health {
        /// Of the gateway; by default the one that WAPID_LISTEN names
        #[arg(long)]
        url: Option<String>,
    },
    /// Print the OpenAPI description
    Openapi,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeChoice {
    Live,
    Test,
}

impl From<ModeChoice> for Mode {
    fn from(choice: ModeChoice) -> Self {
        match choice {
            ModeChoice::Live => Self::Live,
            ModeChoice::Test => Self::Test,
        }
    }
}

/// Does what the arguments say, and answers what the shell shall know.
///
/// # Errors
/// In words for whoever typed them.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    telemetry::start_logs()?;
    let config = arguments.config;
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::gateway(&config).await?,
        Command::Demo => demo::tour(&config).await?,
        Command::Link(arguments) => link::link(&config, arguments).await?,
        Command::Job(command) => return job::job(&config, command).await,
        Command::Listen(arguments) => return listen::listen(&config, arguments).await,
        Command::Messages(command) => messages::messages(&config, command).await?,
        Command::Tenant(command) => admin::tenant(&config, command).await?,
        Command::Key(command) => admin::key(&config, command).await?,
        Command::Sandbox { listen, folder, media, known_as, json } => {
            let alone = serve::SandboxAlone { listen, folder, media, known_as, token: config.sandbox_token };
            serve::sandbox(alone, json).await?;
        }
        Command::Health { url } => serve::health(&config, url).await?,
        Command::Openapi => println!("{}", serde_json::to_string_pretty(&crate::api::document())?),
    }
    Ok(ExitCode::SUCCESS)
}
