//! The one desk where "is this number on WhatsApp, and who is it?" is asked: by sends, jobs and checks.
//!
//! WhatsApp's answer is the address: what is sent, stored, compared and shown is the account's own number and
//! LID, not the number as somebody wrote it. WhatsApp restricts accounts that ask too much. So a number that
//! several want to know is asked about once, up to 50 share a question, a live session leaves a second between
//! two, and after a refusal nobody asks for a while (`core/lookup.rs`). Sends go first, then checks, then jobs.
//!
//! Whoever waits here has a deadline, and is answered at once when the session ends. Who leaves cancels nobody
//! else's question. What whatsapp-rust asks by itself during a send (devices, keys) does not pass here.
//!
//! | file | what |
//! |---|---|
//! | `line` | who waits for which number, and what is asked next |
//! | `known` | what was answered |
//! | `late` | messages whose account is looked for when they are written |

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::warn;
use wapid_core::clock::At;
use wapid_core::id::{SessionKey, TenantId};
use wapid_core::key::Mode;
use wapid_core::lookup::Rest;
use wapid_core::people::Who;
use wapid_core::phone::{Phone, Recipient};
use wapid_core::session::State;
use wapid_core::store::ledger::Owner;
use wapid_core::store::sessions::SessionRow;

use super::people::{AskRefusal, NotReady};
use super::send::owner_of;
use super::{Sessions, View};
use crate::link::{AskFailure, Link, Listing};

mod known;
mod late;
mod line;

use known::{Accounts, Answers};
use line::{Line, PATIENT_REFUSALS, Reply};

/// Between two questions of a live session.
const GAP_MS: i64 = 1_000;
/// How long whoever sends, and a job, waits for an answer.
const PATIENCE_MS: i64 = 10_000;
/// How long a check waits for all its answers. What was answered until then is kept, so asking again goes on.
const CHECK_PATIENCE_MS: i64 = 60_000;
/// Before a question that was lost with its connection is put again.
const LOST_PAUSE_MS: i64 = 200;
/// How often whoever sends asks about a number of which WhatsApp cannot say anything.
const UNCLEAR_TRIES: u32 = 3;
/// And when it may be tried again after that, or after no answer in time.
const TRY_AGAIN_MS: i64 = 5_000;

/// Code and words for a job's recipient who opted out.
pub(super) const OPTED_OUT: (&str, &str) = ("OPTED_OUT", "opted out");
/// And for one whose number leads to an account that got the message for another row of the list.
pub(super) const SAME_ACCOUNT: (&str, &str) =
    ("DUPLICATE", "the number leads to the same account as another row of the list");

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A caller waits for a message to leave.
    Send,
    /// A caller wants to know.
    Check,
    /// A job's recipient, who has time.
    Job,
}

/// Why a number has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    NotReady(NotReady),
    /// WhatsApp did not look up numbers, and is left alone for a while.
    Refused {
        why: AskFailure,
        rest: Rest,
    },
    /// Not in time.
    Late,
}

/// A number, looked up for a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub listing: Listing,
    /// It was known from before.
    pub is_cached: bool,
}

/// Why a message has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAddress {
    NotReady(NotReady),
    NotOnWhatsApp,
    /// WhatsApp could not be asked; when to try again.
    Unasked {
        retry_in_ms: i64,
    },
}

/// What a session's process knows and asks of numbers.
#[derive(Default)]
pub struct Desk {
    accounts: Accounts,
    answers: Answers,
    lines: Mutex<HashMap<SessionKey, Line>>,
}

impl Desk {
    fn line<T>(&self, session: &SessionKey, work: impl FnOnce(&mut Line) -> T) -> T {
        work(self.lines.lock().entry(session.clone()).or_default())
    }

    /// The session is gone from here.
    pub fn forget(&self, session: &SessionKey) {
        let mut lines = self.lines.lock();
        // A driver answers whoever still waits, and comes here itself then.
        if lines.get(session).is_some_and(|line| !line.is_driven) {
            lines.remove(session);
        }
    }
}

impl Sessions {
    /// Whose account a number leads to, where that is known without a question.
    pub(super) fn known_account(&self, tenant: &TenantId, mode: Mode, phone: &Phone) -> Option<Who> {
        self.0.lookups.accounts.of(network_of(tenant, mode), phone, self.now())
    }

    /// Notes that a number is its account's own: somebody wrote from it, or got what was sent to it.
    pub(super) fn note_account(&self, tenant: &TenantId, mode: Mode, phone: &Phone) {
        let who = Who { phone: Some(phone.clone()), lid: None };
        self.0.lookups.accounts.keep(network_of(tenant, mode), phone, &who, self.now());
    }

    /// Where a message to this number goes.
    ///
    /// # Errors
    /// [`NoAddress`]. While WhatsApp does not look up numbers it is asked three times at most.
    pub(super) async fn address_of(
        &self,
        owner: &Owner,
        phone: &Phone,
        urgency: Urgency,
    ) -> Result<Who, NoAddress> {
        if let Some(who) = self.known_account(&owner.tenant, owner.mode, phone) {
            return Ok(who);
        }
        let deadline = self.now().plus_ms(PATIENCE_MS);
        let mut unclear = 0;
        loop {
            match self.ask(owner, phone, urgency, deadline).await {
                Ok(Listing::Account(who)) => return Ok(who),
                Ok(Listing::Nobody) => return Err(NoAddress::NotOnWhatsApp),
                Ok(Listing::Unclear) if unclear + 1 < UNCLEAR_TRIES => unclear += 1,
                Ok(Listing::Unclear) | Err(Unanswered::Late) => {
                    return Err(NoAddress::Unasked { retry_in_ms: TRY_AGAIN_MS });
                }
                Err(Unanswered::NotReady(not_ready)) => return Err(NoAddress::NotReady(not_ready)),
                Err(Unanswered::Refused { rest, .. })
                    if rest.refusals < PATIENT_REFUSALS && urgency == Urgency::Send => {}
                Err(Unanswered::Refused { rest, .. }) => {
                    return Err(NoAddress::Unasked { retry_in_ms: rest.until.since(self.now()).max(1) });
                }
            }
        }
    }

    /// The recipient of a message, as WhatsApp addresses them.
    pub(super) async fn addressed(
        &self,
        owner: &Owner,
        to: &Recipient,
        urgency: Urgency,
    ) -> Result<(Recipient, Who), NoAddress> {
        let who = match to {
            Recipient::Person(phone) => self.address_of(owner, phone, urgency).await?,
            Recipient::Hidden(lid) => Who { phone: None, lid: Some(lid.clone()) },
            Recipient::Group(_) => return Ok((to.clone(), Who::default())),
        };
        Ok((recipient(&who).unwrap_or_else(|| to.clone()), who))
    }

    /// Whom a number leads to, asked for where that is not known; `None` where WhatsApp does not say.
    pub async fn account_of_recipient(&self, row: &SessionRow, to: &Recipient) -> Option<Who> {
        Some(self.addressed(&owner_of(row), to, Urgency::Send).await.ok()?.1)
    }

    /// What WhatsApp says of each of these numbers, for a job: all in one question, where they fit.
    pub(super) async fn look_up(&self, owner: &Owner, phones: &[Phone]) -> Vec<Reply> {
        let deadline = self.now().plus_ms(PATIENCE_MS);
        let asked = phones.iter().map(|phone| self.ask(owner, phone, Urgency::Job, deadline));
        futures::future::join_all(asked).await
    }

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
        self.ready_link(row)?;
        let desk = &self.0.lookups;
        let now = self.now();
        let cached = |phone: &Phone| desk.answers.of(&row.tenant, row.mode, phone, now);
        let known: HashMap<&Phone, Listing> =
            phones.iter().filter_map(|phone| Some((phone, cached(phone)?))).collect();
        let unknown: BTreeSet<&Phone> = phones.iter().filter(|phone| !known.contains_key(phone)).collect();
        desk.line(&row.key, |line| match line.rest_from(Urgency::Check, now) {
            Some(rest) if !unknown.is_empty() => {
                Err(self.refusal(Unanswered::Refused { why: TOO_OFTEN, rest }))
            }
            _ => line.take(unknown.len(), now).map_err(AskRefusal::TooManyChecks),
        })?;
        let (owner, deadline) = (owner_of(row), now.plus_ms(CHECK_PATIENCE_MS));
        let asked = unknown.into_iter().map(async |phone| {
            let reply = self.ask(&owner, phone, Urgency::Check, deadline).await;
            Ok::<_, AskRefusal>((phone, reply.map_err(|why| self.refusal(why))?))
        });
        let found: HashMap<&Phone, Listing> =
            futures::future::try_join_all(asked).await?.into_iter().collect();
        let checked = phones.iter().map(|phone| match known.get(phone) {
            Some(listing) => Checked { listing: listing.clone(), is_cached: true },
            None => Checked { listing: found[phone].clone(), is_cached: false },
        });
        Ok(checked.collect())
    }

    /// What a caller who wants to know something of a number is told, where there is no answer.
    fn refusal(&self, why: Unanswered) -> AskRefusal {
        match why {
            Unanswered::NotReady(why) => why.into(),
            Unanswered::Late => AskFailure::TimedOut.into(),
            Unanswered::Refused { why, rest } => {
                AskRefusal::LookupRefused { why, retry_in_ms: rest.until.since(self.now()).max(1) }
            }
        }
    }

    /// Whose account a number leads to, for a caller who wants to do something with them. It is a number
    /// check where it is not known, and costs one.
    ///
    /// # Errors
    /// [`AskRefusal`], also [`AskRefusal::NotOnWhatsApp`].
    pub(super) async fn account_of(&self, row: &SessionRow, phone: &Phone) -> Result<Who, AskRefusal> {
        if let Some(who) = self.known_account(&row.tenant, row.mode, phone) {
            return Ok(who);
        }
        match self.check_numbers(row, std::slice::from_ref(phone)).await?.pop().map(|one| one.listing) {
            Some(Listing::Account(who)) => Ok(who),
            Some(Listing::Nobody) => Err(AskRefusal::NotOnWhatsApp),
            Some(Listing::Unclear) | None => Err(AskFailure::TimedOut.into()),
        }
    }

    /// What was answered before, as far as it counts for this caller: whoever writes asks again about a number that
    /// nobody had.
    fn known_listing(&self, owner: &Owner, phone: &Phone, urgency: Urgency) -> Option<Listing> {
        match urgency {
            Urgency::Send | Urgency::Job => {
                self.known_account(&owner.tenant, owner.mode, phone).map(Listing::Account)
            }
            Urgency::Check => self.0.lookups.answers.of(&owner.tenant, owner.mode, phone, self.now()),
        }
    }

    /// One number's answer, waited for with all others who want it.
    async fn ask(&self, owner: &Owner, phone: &Phone, urgency: Urgency, deadline: At) -> Reply {
        let joined = self.0.lookups.line(&owner.session, |line| {
            // Answers are kept under the same lock: one that came since the caller looked is here by now.
            if let Some(listing) = self.known_listing(owner, phone, urgency) {
                return Ok(Err(listing));
            }
            let reply = line.join(phone, urgency, self.now())?;
            let is_first = !std::mem::replace(&mut line.is_driven, true);
            Ok(Ok((reply, is_first)))
        });
        let (mut reply, is_first) = match joined {
            Ok(Ok(joined)) => joined,
            Ok(Err(known)) => return Ok(known),
            Err(rest) => return Err(Unanswered::Refused { why: TOO_OFTEN, rest }),
        };
        if is_first {
            tokio::spawn(drive(self.clone(), owner.clone()));
        }
        tokio::select! {
            reply = reply.wait_for(Option::is_some) => {
                reply.ok().and_then(|reply| reply.clone()).unwrap_or(Err(Unanswered::Late))
            }
            () = self.store().clock().until(deadline) => Err(Unanswered::Late),
        }
    }
}

/// What whoever does not even ask is told.
const TOO_OFTEN: AskFailure = AskFailure::Refused { code: 429, backoff_s: None };

/// Whoever asks for a session's line. One that meets a bug leaves nobody waiting for it.
struct Driver {
    sessions: Sessions,
    session: SessionKey,
    is_done: bool,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let desk = &self.sessions.0.lookups;
        if !self.is_done {
            desk.line(&self.session, |line| {
                line.is_driven = false;
                line.reply_to_all(&Err(Unanswered::Late));
            });
        }
        if self.sessions.handle(&self.session).is_none() {
            desk.forget(&self.session);
        }
    }
}

/// Asks for everybody who waits in a session's line, until nobody does.
async fn drive(sessions: Sessions, owner: Owner) {
    let mut driver = Driver { sessions: sessions.clone(), session: owner.session.clone(), is_done: false };
    let desk = &sessions.0.lookups;
    let clock = sessions.store().clock().clone();
    let view = sessions.handle(&owner.session).map(|handle| handle.view);
    let Some(mut view) = view else {
        return desk.line(&owner.session, |line| {
            line.reply_to_all(&Err(Unanswered::NotReady(NotReady::gone("stopped"))))
        });
    };
    loop {
        let opens = desk.line(&owner.session, |line| {
            let is_wanted = line.is_wanted();
            // Within the lock: whoever comes after this begins another.
            line.is_driven = is_wanted;
            is_wanted.then(|| line.pace.opens(clock.now()))
        });
        let Some(opens) = opens else {
            driver.is_done = true;
            return;
        };
        if opens > clock.now() {
            tokio::select! {
                () = clock.until(opens) => {}
                why = ended(&mut view) => desk.line(&owner.session, |line| line.reply_to_all(&why)),
            }
            continue;
        }
        let link = match standing(&view) {
            Ok(Some(link)) => link,
            // A connection that is just being replaced is back within a second.
            Ok(None) => {
                let _ = view.changed().await;
                continue;
            }
            Err(why) => {
                desk.line(&owner.session, |line| line.reply_to_all(&Err(Unanswered::NotReady(why))));
                continue;
            }
        };
        let gap = if owner.mode == Mode::Live { GAP_MS } else { 0 };
        let phones = desk.line(&owner.session, |line| line.put_question(gap, clock.now()));
        let digits: Vec<&str> = phones.iter().map(Phone::digits).collect();
        let answer = tokio::select! {
            answer = link.look_up(&digits) => answer,
            why = ended(&mut view) => {
                desk.line(&owner.session, |line| line.reply_to_all(&why));
                continue;
            }
        };
        let now = clock.now();
        match answer {
            Ok(listings) => desk.line(&owner.session, |line| {
                line.pace.answered();
                for (phone, listing) in phones.iter().zip(listings) {
                    if let Listing::Account(who) = &listing {
                        desk.accounts.keep(network_of(&owner.tenant, owner.mode), phone, who, now);
                    }
                    desk.answers.keep(&owner.tenant, owner.mode, phone, &listing, now);
                    line.reply(phone, Ok(listing));
                }
            }),
            Err(AskFailure::Lost) => {
                desk.line(&owner.session, Line::lose_question);
                tokio::select! {
                    _ = view.changed() => {}
                    () = clock.until(now.plus_ms(LOST_PAUSE_MS)) => {}
                }
            }
            Err(why) => {
                let backoff_ms = match &why {
                    AskFailure::Refused { backoff_s: Some(seconds), .. } => Some(i64::from(*seconds) * 1_000),
                    _ => None,
                };
                let rest = desk.line(&owner.session, |line| line.refuse(&why, backoff_ms, now));
                let pause = rest.until.since(now);
                warn!(session.key = %owner.session, "WhatsApp does not look up numbers; nobody asks for {pause} ms");
            }
        }
    }
}

/// The link to ask through, or none while a connection is being replaced.
fn standing(view: &watch::Receiver<View>) -> Result<Option<Arc<Link>>, NotReady> {
    if view.has_changed().is_err() {
        return Err(NotReady::gone("removed"));
    }
    let View { state, link, .. } = &*view.borrow();
    if !matches!(state, State::Ready { .. } | State::Connecting { .. }) {
        return Err(NotReady::in_state(state));
    }
    Ok(link.as_ref().and_then(Weak::upgrade))
}

/// Returns when the session has ended, with what that means for whoever waits.
async fn ended(view: &mut watch::Receiver<View>) -> Reply {
    loop {
        if let Err(why) = standing(view) {
            return Err(Unanswered::NotReady(why));
        }
        if view.changed().await.is_err() {
            return Err(Unanswered::NotReady(NotReady::gone("removed")));
        }
    }
}

/// Where a session's numbers are known: WhatsApp, or one tenant's sandbox.
fn network_of(tenant: &TenantId, mode: Mode) -> &str {
    match mode {
        Mode::Live => "live",
        Mode::Test => tenant.as_str(),
    }
}

/// The address of somebody.
pub(super) fn recipient(who: &Who) -> Option<Recipient> {
    match who {
        Who { phone: Some(phone), .. } => Some(Recipient::Person(phone.clone())),
        Who { phone: None, lid: Some(lid) } => Some(Recipient::Hidden(lid.clone())),
        Who { phone: None, lid: None } => None,
    }
}
