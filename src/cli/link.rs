//! Link a number from a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::client::Connection;
use crate::config::Config;
use crate::qr;

/// A QR lives 20 s at least; looking this often shows each in good time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub struct LinkArguments {
    /// Your name for the session
    #[arg(default_value = "main")]
    session: String,
    #[command(flatten)]
    connection: Connection,
    /// Type a code into the phone of this number instead of scanning
    #[arg(long)]
    phone: Option<String>,
}

pub async fn link(config: &Config, arguments: LinkArguments) -> anyhow::Result<()> {
    let gateway = arguments.connection.open(config)?;
    let new = json!({"sessionId": arguments.session, "phoneNumber": arguments.phone});
    let made = gateway.post("/api/whatsapp/session", new).await?;
    if let Some(code) = made["pairingCode"].as_str() {
        println!(
            "On the phone: Linked devices > Link a device > Link with phone number instead\n\n  {code}\n"
        );
    }
    let mut shown = String::new();
    loop {
        let status = gateway.get(&format!("/api/whatsapp/session/{}/status", arguments.session)).await?;
        match status["status"].as_str().unwrap_or_default() {
            "ready" => {
                println!("Ready: {}", status["phoneNumber"].as_str().unwrap_or_default());
                return Ok(());
            }
            "qr_ready" if arguments.phone.is_none() => {
                let text = status["qrText"].as_str().unwrap_or_default();
                if text != shown {
                    draw(text);
                    text.clone_into(&mut shown);
                }
            }
            "disconnected" if status["retryAt"].is_null() => {
                anyhow::bail!(
                    "the session is disconnected: {}",
                    status["reason"].as_str().unwrap_or_default()
                );
            }
            "passkey_required" => anyhow::bail!(
                "WhatsApp asks for a passkey before it links this number, which a terminal cannot show"
            ),
            _ => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Draws a QR; on a terminal, over the one before.
pub(super) fn draw(text: &str) {
    let Some(drawn) = qr::terminal(text) else { return };
    let mut out = std::io::stdout().lock();
    if out.is_terminal() {
        let _ = write!(out, "\x1b[2J\x1b[H");
    }
    let _ = writeln!(out, "{drawn}\nOn the phone: Linked devices > Link a device, and scan.");
}
