//! What a tenant wants of its bulk messages, and who does not want them.

use super::ledger::OptOutWish;
use super::tx::{Tx, values};
use super::{Result, TenantStore};
use crate::clock::At;
use crate::opt_out::{OptOut, Settings, Source, Wish};
use crate::pacing::Windows;
use crate::phone::Phone;

/// Settings as they lie in the table.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct StoredSettings {
    pub tenant_id: String,
    pub mode: String,
    pub default_country: Option<String>,
    pub windows: Option<String>,
    pub stop_words: Option<String>,
    pub start_words: Option<String>,
    pub confirmation: Option<String>,
    pub opt_out_all: bool,
}

impl StoredSettings {
    pub(super) fn read(self) -> Result<Settings> {
        let words = |text: Option<String>| text.as_deref().map(serde_json::from_str).transpose();
        Ok(Settings {
            default_country: self.default_country,
            windows: match self.windows.as_deref() {
                Some(text) => serde_json::from_str::<Windows>(text)?,
                None => Windows::default(),
            },
            stop_words: words(self.stop_words)?,
            start_words: words(self.start_words)?,
            confirmation: self.confirmation,
            applies_to_all: self.opt_out_all,
        })
    }
}

const READ: &str = "SELECT tenant_id, mode, default_country, windows, stop_words, start_words, confirmation,
        opt_out_all
    FROM tenant_settings WHERE tenant_id = $1 AND mode = $2";

const WRITE: &str = "INSERT INTO tenant_settings
        (tenant_id, mode, default_country, windows, stop_words, start_words, confirmation, opt_out_all)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (tenant_id, mode) DO UPDATE SET default_country = excluded.default_country,
        windows = excluded.windows, stop_words = excluded.stop_words, start_words = excluded.start_words,
        confirmation = excluded.confirmation, opt_out_all = excluded.opt_out_all";

/// Jobs that waited for a window look again.
const FORGET_WINDOWS: &str = "UPDATE jobs SET hold = NULL, not_before = $3
    WHERE tenant_id = $1 AND mode = $2 AND hold = 'window' AND not_before > $3";

impl TenantStore {
    pub async fn settings(&self) -> Result<Settings> {
        let place = values![self.tenant.as_str(), self.mode.as_str()];
        match self.store.db.rows::<StoredSettings>(READ, place).await?.pop() {
            Some(row) => row.read(),
            None => Ok(Settings::default()),
        }
    }

    /// Of numbers that are written without a country code.
    pub async fn default_country(&self) -> Result<Option<String>> {
        const HOME: &str = "SELECT default_country FROM tenant_settings WHERE tenant_id = $1 AND mode = $2";
        let place = values![self.tenant.as_str(), self.mode.as_str()];
        let rows: Vec<(Option<String>,)> = self.store.db.rows(HOME, place).await?;
        Ok(rows.into_iter().find_map(|(code,)| code))
    }

    pub async fn save_settings(&self, settings: &Settings) -> Result<()> {
        let json = |words: &Option<Vec<String>>| words.as_ref().map(serde_json::to_string).transpose();
        let windows = match settings.windows.0.as_slice() {
            [] => None,
            _ => Some(serde_json::to_string(&settings.windows)?),
        };
        let mut tx = self.store.db.begin().await?;
        let row = values![
            self.tenant.as_str(),
            self.mode.as_str(),
            settings.default_country.as_deref(),
            windows,
            json(&settings.stop_words)?,
            json(&settings.start_words)?,
            settings.confirmation.as_deref(),
            settings.applies_to_all,
        ];
        tx.run(WRITE, row).await?;
        let now = self.store.clock.now();
        tx.run(FORGET_WINDOWS, values![self.tenant.as_str(), self.mode.as_str(), now]).await?;
        Ok(tx.commit().await?)
    }

    /// `false` when the number was on the list already, in whichever spelling.
    pub async fn opt_out(&self, phone: &Phone) -> Result<bool> {
        self.wish(phone, Wish::Stop).await
    }

    /// `false` when the number was not on the list, in no spelling.
    pub async fn opt_in(&self, phone: &Phone) -> Result<bool> {
        self.wish(phone, Wish::Start).await
    }

    async fn wish(&self, phone: &Phone, wish: Wish) -> Result<bool> {
        let (tenant, mode, phone) = (self.tenant.clone(), self.mode, phone.clone());
        self.store.wish(OptOutWish { tenant, mode, phone, wish }).await
    }

    /// Each as it was given. By number, after `after`.
    pub async fn opt_outs(&self, after: Option<&str>, limit: i64) -> Result<Vec<OptOut>> {
        const PAGE: &str = "SELECT phone, source, created_at FROM opt_outs
            WHERE tenant_id = $1 AND mode = $2 AND phone > $3 AND given IS NULL ORDER BY phone LIMIT $4";
        let place = values![self.tenant.as_str(), self.mode.as_str(), after.unwrap_or_default(), limit];
        Ok(self.store.db.rows(PAGE, place).await?)
    }

    /// A number's place on the list, as it was given, in whichever spelling one asks.
    pub async fn opt_out_of(&self, phone: &Phone) -> Result<Option<OptOut>> {
        const ONE: &str = "SELECT phone, source, created_at FROM opt_outs
            WHERE tenant_id = $1 AND mode = $2 AND phone = $3 AND given IS NULL";
        for spelling in phone.spellings() {
            let place = values![self.tenant.as_str(), self.mode.as_str(), spelling.digits()];
            if let Some(found) = self.store.db.rows(ONE, place).await?.pop() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Under this number; see `has_opted_out` for all that somebody has.
    pub async fn is_opted_out(&self, phone: &Phone) -> Result<bool> {
        const ONE: &str = "SELECT phone FROM opt_outs WHERE tenant_id = $1 AND mode = $2 AND phone = $3";
        let place = values![self.tenant.as_str(), self.mode.as_str(), phone.digits()];
        Ok(!self.store.db.rows::<(String,)>(ONE, place).await?.is_empty())
    }
}

/// Puts every spelling of a number on the list, so that whoever asks for one finds it; `false` when they
/// were there already. Always in the same order, lest two that do so at once wait for each other.
pub(super) async fn opt_out(
    tx: &mut Tx<'_>,
    (tenant, mode): (&str, &str),
    phone: &Phone,
    source: Source,
    now: At,
) -> Result<bool> {
    const ADD: &str = "INSERT INTO opt_outs (tenant_id, mode, phone, given, source, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, mode, phone) DO NOTHING";
    let mut added = 0;
    for spelling in phone.spellings() {
        let given = (spelling != *phone).then(|| phone.digits());
        let row = values![tenant, mode, spelling.digits(), given, source.as_str(), now];
        added += tx.run(ADD, row).await?;
    }
    Ok(added > 0)
}

/// Takes every spelling of a number off the list; `false` when none was there.
pub(super) async fn opt_in(tx: &mut Tx<'_>, (tenant, mode): (&str, &str), phone: &Phone) -> Result<bool> {
    const REMOVE: &str = "DELETE FROM opt_outs WHERE tenant_id = $1 AND mode = $2 AND phone = $3";
    let mut removed = 0;
    for spelling in phone.spellings() {
        removed += tx.run(REMOVE, values![tenant, mode, spelling.digits()]).await?;
    }
    Ok(removed > 0)
}
