//! Tenants and keys, straight on the database.

use clap::{Args, Subcommand};
use serde::Serialize;
use wapid_core::clock::Clock;
use wapid_core::id::KeyId;
use wapid_core::key::ApiKey;
use wapid_core::store::Store;
use wapid_core::store::tenants::{KeyRow, NewTenant};
use wapid_core::tenant::Tenant;

use super::ModeChoice;
use crate::config::Config;
use crate::run::open_store;

#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Make a tenant; prints its keys, once
    Create {
        #[arg(long)]
        name: String,
        #[command(flatten)]
        limits: Limits,
        #[arg(long)]
        json: bool,
    },
    /// All tenants
    List {
        #[arg(long)]
        json: bool,
    },
    /// Change limits or the time zone
    Update {
        /// Id or name
        tenant: String,
        #[command(flatten)]
        limits: Limits,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct Limits {
    /// IANA name, such as America/Sao_Paulo; days of the daily limit begin at its midnight
    #[arg(long)]
    time_zone: Option<String>,
    /// Messages a day and mode; -1 for no limit
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    daily_limit: Option<i64>,
    /// Sessions per mode; -1 for no limit
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    session_limit: Option<i64>,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key; prints it, once
    Create {
        /// Id or name
        #[arg(long)]
        tenant: String,
        #[arg(long, value_enum)]
        mode: ModeChoice,
        /// For people
        #[arg(long)]
        label: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// The keys of a tenant, without their secrets
    List {
        /// Id or name
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        json: bool,
    },
    /// A new key in place of an old one
    Rotate {
        /// Key id, the key itself, or its 8 characters after `wapid_live_`
        key: String,
        /// The old key works on for so many hours; 0: it dies at once (within 5 s)
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=168))]
        grace_hours: i64,
        #[arg(long)]
        json: bool,
    },
    /// End a key, within 5 s
    Revoke {
        /// Key id, the key itself, or its 8 characters after `wapid_live_`
        key: String,
        #[arg(long)]
        json: bool,
    },
}

pub async fn tenant(config: &Config, command: TenantCommand) -> anyhow::Result<()> {
    let store = open_store(config, Clock::System).await?;
    match command {
        TenantCommand::Create { name, limits, json } => {
            let new = NewTenant {
                id: None,
                name,
                time_zone: limits.time_zone.unwrap_or_else(|| "UTC".to_owned()),
                daily_limit: limits.daily_limit.filter(|limit| *limit >= 0),
                session_limit: limits.session_limit.filter(|limit| *limit >= 0),
            };
            let (tenant, live, test) = store.create_tenant(new).await?;
            print(json, &NewKeys::of(&tenant, &live, &test), |made| {
                println!("Tenant {} ({}). Its keys are shown once:\n", tenant.name, made.tenant_id);
                println!("  live  {}\n  test  {}", made.live_key, made.test_key);
            })?;
        }
        TenantCommand::List { json } => print(json, &store.tenants().await?, |tenants| {
            tenants.iter().for_each(show_tenant);
        })?,
        TenantCommand::Update { tenant, limits, json } => {
            let mut tenant = find_tenant(&store, &tenant).await?;
            if let Some(zone) = limits.time_zone {
                wapid_core::tenant::check_time_zone(&zone)?;
                tenant.time_zone = zone;
            }
            if let Some(limit) = limits.daily_limit {
                tenant.daily_limit = Some(limit).filter(|limit| *limit >= 0);
            }
            if let Some(limit) = limits.session_limit {
                tenant.session_limit = Some(limit).filter(|limit| *limit >= 0);
            }
            store.update_tenant(&tenant).await?;
            print(json, &tenant, show_tenant)?;
        }
    }
    store.close().await;
    Ok(())
}

pub async fn key(config: &Config, command: KeyCommand) -> anyhow::Result<()> {
    let store = open_store(config, Clock::System).await?;
    match command {
        KeyCommand::Create { tenant, mode, label, json } => {
            let tenant = find_tenant(&store, &tenant).await?;
            let (row, key) = store.create_key(&tenant.id, mode.into(), label.as_deref()).await?;
            show_new_key(json, &tenant, &row, &key)?;
        }
        KeyCommand::List { tenant, json } => {
            let tenant = find_tenant(&store, &tenant).await?;
            print(json, &store.keys(&tenant.id).await?, |keys| keys.iter().for_each(show_key))?;
        }
        KeyCommand::Rotate { key, grace_hours, json } => {
            let old = find_key(&store, &key).await?;
            let grace_ms = grace_hours * 3_600_000;
            let rotated = store.rotate_key(&old.id, grace_ms).await?;
            let (row, key) = rotated.ok_or_else(|| anyhow::anyhow!("the key has ended already"))?;
            let tenant = find_tenant(&store, row.tenant_id.as_str()).await?;
            show_new_key(json, &tenant, &row, &key)?;
        }
        KeyCommand::Revoke { key, json } => {
            let row = find_key(&store, &key).await?;
            store.revoke_key(&row.id).await?;
            print(json, &Revoked { key_id: row.id, revoked: true }, |revoked| {
                println!("{} is revoked; it ends within 5 s", revoked.key_id);
            })?;
        }
    }
    store.close().await;
    Ok(())
}

async fn find_tenant(store: &Store, text: &str) -> anyhow::Result<Tenant> {
    let found = store.find_tenant(text).await?;
    found.ok_or_else(|| anyhow::anyhow!("there is no tenant {text}; see `wapid tenant list`"))
}

async fn find_key(store: &Store, text: &str) -> anyhow::Result<KeyRow> {
    let found = store.find_key(text).await?;
    found.ok_or_else(|| anyhow::anyhow!("there is no such key; see `wapid key list --tenant T`"))
}

/// One line of JSON for programs, or words for people.
fn print<T: Serialize>(json: bool, value: &T, words: impl FnOnce(&T)) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(value)?);
    } else {
        words(value);
    }
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewKeys<'a> {
    tenant_id: &'a str,
    live_key: &'a str,
    test_key: &'a str,
}

impl<'a> NewKeys<'a> {
    fn of(tenant: &'a Tenant, live: &'a ApiKey, test: &'a ApiKey) -> Self {
        Self { tenant_id: tenant.id.as_str(), live_key: live.reveal(), test_key: test.reveal() }
    }
}

/// The new key under the name that `tenant create` gives it, and under `key` whatever its mode.
fn show_new_key(json: bool, tenant: &Tenant, row: &KeyRow, key: &ApiKey) -> anyhow::Result<()> {
    let name = format!("{}Key", row.mode);
    let mut value = serde_json::json!({
        "tenantId": tenant.id, "keyId": row.id, "mode": row.mode, "key": key.reveal()
    });
    value[name] = key.reveal().into();
    print(json, &value, |_| {
        println!("A {} key of {}, shown once:\n\n  {}", row.mode, tenant.name, key.reveal());
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Revoked {
    key_id: KeyId,
    revoked: bool,
}

fn show_tenant(tenant: &Tenant) {
    let limit = |limit: Option<i64>| limit.map_or_else(|| "no limit".to_owned(), |n| n.to_string());
    println!(
        "{}  {}  {}  messages a day: {}  sessions: {}",
        tenant.id,
        tenant.name,
        tenant.time_zone,
        limit(tenant.daily_limit),
        limit(tenant.session_limit)
    );
}

fn show_key(key: &KeyRow) {
    let end = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("  revoked {}", at.iso()),
        (None, Some(at)) => format!("  until {}", at.iso()),
        (None, None) => String::new(),
    };
    let label = key.label.as_deref().unwrap_or_default();
    println!("{}  wapid_{}_{}…  {label}{end}", key.id, key.mode, key.public);
}
