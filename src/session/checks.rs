//! "Are these numbers on WhatsApp?", asked for a caller: few at a time, not too often, and not twice.
//!
//! WhatsApp restricts accounts that ask for many numbers. So a question names at most 50, a live session
//! waits between two, and an hour has a budget. The budget and the answers are kept in memory: a restart
//! begins anew.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use parking_lot::Mutex;
use wapid_core::clock::At;
use wapid_core::id::{SessionKey, TenantId};
use wapid_core::key::Mode;
use wapid_core::people::Questions;
use wapid_core::phone::Phone;
use wapid_core::store::sessions::SessionRow;

use super::Sessions;
use super::people::AskRefusal;
use super::send::network_of;
use crate::link::{ASKED_MAX, AskFailure, Looked};

/// Between two questions of a live session.
const GAP_MS: i64 = 1_000;
/// How long an answer counts: who is there stays, who is not may join at any moment.
const PRESENT_MS: i64 = 24 * 3_600_000;
const ABSENT_MS: i64 = 10 * 60_000;
/// Answers kept at most, of all tenants.
const KEPT_MAX: usize = 100_000;
/// How long a caller waits for all answers. What was answered until then is kept, so asking again goes on.
const PATIENCE: Duration = Duration::from_secs(60);

/// A number, looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub looked: Looked,
    /// It was known from before.
    pub is_cached: bool,
}

/// Who asked, and about which number.
type Asked = (TenantId, Mode, Phone);

/// What was asked, and what was answered. Answers are a tenant's own: what others ask about is theirs.
#[derive(Default)]
pub struct Checks {
    questions: Mutex<HashMap<SessionKey, Questions>>,
    answers: Mutex<HashMap<Asked, (Looked, At)>>,
}

impl Checks {
    fn answer(&self, row: &SessionRow, phone: &Phone, now: At) -> Option<Looked> {
        let answers = self.answers.lock();
        let (looked, at) = answers.get(&(row.tenant.clone(), row.mode, phone.clone()))?;
        let life = if looked.exists == Some(true) { PRESENT_MS } else { ABSENT_MS };
        (now.since(*at) < life).then(|| looked.clone())
    }

    fn keep(&self, row: &SessionRow, phone: &Phone, looked: &Looked, now: At) {
        let mut answers = self.answers.lock();
        if answers.len() >= KEPT_MAX {
            answers.retain(|_, (_, at)| now.since(*at) < ABSENT_MS);
            if answers.len() >= KEPT_MAX {
                answers.clear();
            }
        }
        answers.insert((row.tenant.clone(), row.mode, phone.clone()), (looked.clone(), now));
    }

    fn with<T>(&self, key: &SessionKey, ask: impl FnOnce(&mut Questions) -> T) -> T {
        ask(self.questions.lock().entry(key.clone()).or_default())
    }
}

impl Sessions {
    /// Whether each of these numbers is on WhatsApp, in their order.
    ///
    /// # Errors
    /// [`AskRefusal`]; [`AskRefusal::TooManyChecks`] when the hour's budget does not cover those that must
    /// be asked about, and then none is.
    pub async fn check_numbers(
        &self,
        row: &SessionRow,
        phones: &[Phone],
    ) -> Result<Vec<Checked>, AskRefusal> {
        let link = self.ready_link(row)?;
        let checks = &self.0.checks;
        let now = self.now();
        let known: HashMap<&Phone, Looked> =
            phones.iter().filter_map(|phone| Some((phone, checks.answer(row, phone, now)?))).collect();
        let unknown: BTreeSet<&Phone> = phones.iter().filter(|phone| !known.contains_key(phone)).collect();
        let unknown: Vec<&Phone> = unknown.into_iter().collect();
        self.spend_checks(row, unknown.len())?;
        let asked = async {
            let mut found: HashMap<&Phone, Looked> = HashMap::new();
            for some in unknown.chunks(ASKED_MAX) {
                let gap = if row.mode == Mode::Live { GAP_MS } else { 0 };
                let at = checks.with(&row.key, |questions| questions.next(gap, self.now()));
                self.store().clock().until(at).await;
                let digits: Vec<&str> = some.iter().map(|phone| phone.digits()).collect();
                let looked = link.look_up(&digits).await?;
                let now = self.now();
                for (phone, looked) in some.iter().zip(looked) {
                    if looked.exists == Some(true) {
                        self.0.numbers.remember(network_of(row), phone, now);
                    }
                    // What WhatsApp could not say is asked again.
                    if looked.exists.is_some() {
                        checks.keep(row, phone, &looked, now);
                    }
                    found.insert(*phone, looked);
                }
            }
            Ok::<_, AskFailure>(found)
        };
        let found = tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(AskFailure::TimedOut))?;
        Ok(phones
            .iter()
            .map(|phone| match known.get(phone) {
                Some(looked) => Checked { looked: looked.clone(), is_cached: true },
                None => Checked { looked: found.get(phone).cloned().unwrap_or_default(), is_cached: false },
            })
            .collect())
    }

    /// Takes so many numbers out of a session's hour.
    pub(super) fn spend_checks(&self, row: &SessionRow, count: usize) -> Result<(), AskRefusal> {
        if count == 0 {
            return Ok(());
        }
        let now = self.now();
        let taken = self.0.checks.with(&row.key, |questions| questions.take(count, now));
        taken.map_err(AskRefusal::TooManyChecks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wapid_core::id::SessionId;

    fn row(tenant: &str) -> SessionRow {
        SessionRow {
            key: SessionKey::new(),
            tenant: TenantId(tenant.to_owned()),
            mode: Mode::Test,
            id: SessionId("main".to_owned()),
            name: None,
            device_name: None,
            proxy: None,
            daily_limit: None,
            wanted: true,
            removing: false,
            account: None,
            ended: None,
            created_at: At(0),
            linked_at: None,
        }
    }

    #[test]
    fn who_is_there_is_known_for_a_day_and_who_is_not_for_ten_minutes() {
        let (checks, row) = (Checks::default(), row("a"));
        let (here, away) = (Phone::parse("15550001", None).unwrap(), Phone::parse("15550002", None).unwrap());
        let looked = |exists| Looked { exists: Some(exists), ..Looked::default() };
        checks.keep(&row, &here, &looked(true), At(0));
        checks.keep(&row, &away, &looked(false), At(0));
        assert!(checks.answer(&row, &here, At(PRESENT_MS - 1)).is_some());
        assert!(checks.answer(&row, &here, At(PRESENT_MS)).is_none());
        assert!(checks.answer(&row, &away, At(ABSENT_MS - 1)).is_some());
        assert!(checks.answer(&row, &away, At(ABSENT_MS)).is_none());
        assert!(checks.answer(&self::row("b"), &here, At(1)).is_none(), "another tenant's answer");
    }
}
