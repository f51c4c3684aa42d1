//! Where one linked number stands.
//!
//! Pure: no clock, no I/O, no async. [`State::step`] takes what happened and when, and answers with
//! the next state and what to do about it. The session task (`session/task/`) does the doing.
//!
//! Reconnecting after a drop is the link's own business: `whatsapp-rust` retries with its own
//! backoff. This machine hears of it as [`Input::Down`] and [`Input::Up`], and steps in when the link
//! gives up ([`Input::Gone`]), when it stays silent for too long (a handshake that keeps failing
//! raises no event), or when WhatsApp ends the session ([`Input::Over`]).
//!
//! "Ready" is never stored. After a restart nothing is ready until WhatsApp says so.

use serde::{Deserialize, Serialize};

use crate::clock::At;

/// A link that is trying gets this long before it is torn down and built again. The client calls
/// itself connected only after the offline queue, for which whatsapp-rust 0.7.0 allows 60 s.
pub const PATIENCE_MS: i64 = 90_000;
/// And this long right after the scan: then the client fetches keys and account state first, for which
/// it allows 180 s.
pub const LINKING_PATIENCE_MS: i64 = 240_000;
/// Another process may let go of a session at any moment; looking is cheap.
const HELD_MS: i64 = 5_000;
/// The first rest after a link gave up; doubles with each failure in a row.
const REST_MS: i64 = 2_000;
/// A client that rotates its offers replaces one before it is this stale.
const OFFER_GRACE_MS: i64 = 10_000;
/// WhatsApp says no end of a passkey's request; nobody answers one that is so old.
const PASSKEY_PATIENCE_MS: i64 = 600_000;
/// The longest rest between tries.
const REST_MAX_MS: i64 = 300_000;

/// The number a session is linked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Digits with country code.
    pub phone: String,
    /// The device's own JID, such as `919876543210:3@s.whatsapp.net`.
    pub jid: String,
    /// The hidden id of the account, where WhatsApp gave one.
    pub lid: Option<String>,
}

/// What the owner's phone must scan or type. A bearer credential: never stored, logged or cached.
#[derive(Clone, PartialEq, Eq)]
pub struct Offer {
    pub secret: String,
    pub expires_at: At,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Offer(until {})", self.expires_at.0)
    }
}

/// Why a session rests. It resumes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// A temporary ban; WhatsApp said until when.
    Banned,
    /// No connection or no handshake within [`PATIENCE_MS`], or the client stopped.
    Unreachable,
    /// WhatsApp refused the login for a passing reason (500, 503, an unknown code).
    Refused,
    /// Another wapid process runs this session; its lease must end first.
    HeldElsewhere,
    /// The session's proxy leads where this gateway does not go.
    ProxyRefused,
}

/// Why a session ended. Only its owner can bring it back: by linking again, or by starting it where
/// the link is kept ([`End::unlinks`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Unlinked on the phone, or WhatsApp answered 401.
    LoggedOut,
    /// Another client took over this linked device.
    Replaced,
    /// Nobody scanned in time.
    QrExpired,
    /// WhatsApp wants a newer client (405).
    ClientOutdated,
    /// WhatsApp locked or banned the account (403, 406).
    AccountBlocked,
    /// Pairing failed on the way.
    PairingFailed,
    /// Another number was linked than the session's own, and nobody had asked for that.
    OtherNumber,
}

/// Why a linked session is connecting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trying {
    /// Just scanned; WhatsApp closes the first connection and expects a login.
    AfterLinking,
    /// The process started, or the owner asked for it.
    Starting,
    /// It was ready before.
    Reconnecting,
}

impl Trying {
    fn patience_ms(self) -> i64 {
        match self {
            Self::AfterLinking => LINKING_PATIENCE_MS,
            Self::Starting | Self::Reconnecting => PATIENCE_MS,
        }
    }
}

/// What waits for the owner's phone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offers {
    pub qr: Option<Offer>,
    pub code: Option<Offer>,
    /// WebAuthn request options, as WhatsApp sent them, when it gates linking by a passkey.
    pub passkey: Option<Offer>,
}

impl Offers {
    fn last_expiry(&self) -> Option<At> {
        [&self.qr, &self.code, &self.passkey].into_iter().flatten().map(|offer| offer.expires_at).max()
    }

    /// Every offer has run out and no new one came.
    fn are_stale(&self, now: At) -> bool {
        self.last_expiry().is_some_and(|last| now >= last.plus_ms(OFFER_GRACE_MS))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nobody asked it to run. The link to the number, if any, is kept.
    Stopped {
        account: Option<Account>,
        since: At,
    },
    /// Waits for the owner's phone.
    Linking {
        offers: Offers,
        since: At,
        failures: u32,
    },
    Connecting {
        account: Account,
        trying: Trying,
        since: At,
        failures: u32,
    },
    Ready {
        account: Account,
        since: At,
    },
    Resting {
        account: Option<Account>,
        why: Rest,
        until: At,
        since: At,
        failures: u32,
    },
    /// `account` is kept where the device keys still are good: starting again tries them.
    Ended {
        why: End,
        account: Option<Account>,
        since: At,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Start,
    /// The owner wants it down, with the link kept.
    Stop,
    OfferedQr(Offer),
    /// A code was asked for; an older one is no longer good.
    CodeAsked,
    OfferedCode(Offer),
    /// WhatsApp gates this linking by a passkey.
    PasskeyAsked(String),
    /// `expected` is the number that the session belongs to; `None` where any may be linked.
    Linked {
        account: Account,
        expected: Option<String>,
    },
    Up,
    Down,
    /// The link gave up. `jitter` is 0 to 1000 per mille, drawn by the caller, so that many sessions
    /// that fall together do not rise together. `until` is set where WhatsApp named a time.
    Gone {
        why: Rest,
        until: Option<At>,
        jitter: u16,
    },
    Over(End),
    /// The time asked for by [`Effect::WakeAt`] has come. `jitter` as in [`Input::Gone`].
    Due {
        jitter: u16,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Build a link and let it run.
    Open,
    /// Log the device out at WhatsApp, and keep nothing of what its link tells.
    TurnAway,
    /// Tear the link down; the number stays linked.
    Close,
    /// Write down what must survive a restart: wanted, account, end.
    Save,
    /// The number is not linked any more: forget its device keys.
    Forget,
    WakeAt(At),
    /// Tell the world: an event, and whoever watches.
    Announce,
}

/// The status words of seed 001, and one more for a linking that WhatsApp gates by a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Initializing,
    QrReady,
    PasskeyRequired,
    Authenticated,
    Ready,
    Disconnected,
}

impl Status {
    pub const ALL: [Self; 6] = [
        Self::Initializing,
        Self::QrReady,
        Self::PasskeyRequired,
        Self::Authenticated,
        Self::Ready,
        Self::Disconnected,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::QrReady => "qr_ready",
            Self::PasskeyRequired => "passkey_required",
            Self::Authenticated => "authenticated",
            Self::Ready => "ready",
            Self::Disconnected => "disconnected",
        }
    }
}

impl State {
    /// Whatever is not listed leaves the state alone: a late signal from a link that is already
    /// closing is normal, not an error.
    #[must_use]
    pub fn step(self, input: Input, now: At) -> (Self, Vec<Effect>) {
        use Effect::{Announce, Close, Open, Save, WakeAt};

        let patience = WakeAt(now.plus_ms(PATIENCE_MS));
        let long_patience = WakeAt(now.plus_ms(LINKING_PATIENCE_MS));
        match (self, input) {
            (
                Self::Stopped { account: Some(account), .. } | Self::Ended { account: Some(account), .. },
                Input::Start,
            ) => {
                let next = Self::Connecting { account, trying: Trying::Starting, since: now, failures: 0 };
                (next, vec![Save, Open, patience, Announce])
            }
            (Self::Stopped { account: None, .. } | Self::Ended { account: None, .. }, Input::Start) => {
                (Self::linking(now, 0), vec![Save, Open, patience, Announce])
            }
            // A new QR every 20 to 60 s is not news unless it is the first.
            (Self::Linking { mut offers, since, failures }, Input::OfferedQr(offer)) => {
                let mut effects = vec![WakeAt(offer.expires_at.plus_ms(OFFER_GRACE_MS))];
                if offers.qr.is_none() {
                    effects.push(Announce);
                }
                offers.qr = Some(offer);
                (Self::Linking { offers, since, failures }, effects)
            }
            (Self::Linking { mut offers, since, failures }, Input::OfferedCode(offer)) => {
                let wake = WakeAt(offer.expires_at.plus_ms(OFFER_GRACE_MS));
                offers.code = Some(offer);
                (Self::Linking { offers, since, failures }, vec![wake])
            }
            (Self::Linking { mut offers, since, failures }, Input::CodeAsked) => {
                offers.code = None;
                (Self::Linking { offers, since, failures }, vec![])
            }
            (Self::Linking { mut offers, since, failures }, Input::PasskeyAsked(request)) => {
                let expires_at = now.plus_ms(PASSKEY_PATIENCE_MS);
                let wake = WakeAt(expires_at.plus_ms(OFFER_GRACE_MS));
                offers.passkey = Some(Offer { secret: request, expires_at });
                (Self::Linking { offers, since, failures }, vec![wake, Announce])
            }
            (Self::Linking { .. }, Input::Linked { account, expected })
                if expected.as_ref().is_some_and(|expected| *expected != account.phone) =>
            {
                let (ended, mut effects) = Self::end(End::OtherNumber, None, now);
                effects.insert(0, Effect::TurnAway);
                (ended, effects)
            }
            (Self::Linking { .. }, Input::Linked { account, .. }) => {
                let next =
                    Self::Connecting { account, trying: Trying::AfterLinking, since: now, failures: 0 };
                (next, vec![Save, long_patience, Announce])
            }
            // The account is written down and its keys are gone: a crash came between forgetting them
            // and saying so.
            (Self::Connecting { .. }, Input::OfferedQr(_)) => Self::end(End::LoggedOut, None, now),
            (Self::Linking { offers, since, failures }, Input::Due { jitter }) => {
                if offers == Offers::default() && now.since(since) >= PATIENCE_MS {
                    Self::rest(None, Rest::Unreachable, None, failures, jitter, now)
                } else if offers.are_stale(now) {
                    Self::end(End::QrExpired, None, now)
                } else if let Some(until) = offers.last_expiry() {
                    let wake = WakeAt(until.plus_ms(OFFER_GRACE_MS));
                    (Self::Linking { offers, since, failures }, vec![wake])
                } else {
                    (Self::Linking { offers, since, failures }, vec![])
                }
            }
            (Self::Linking { failures, .. }, Input::Gone { why, until, jitter }) => {
                Self::rest(None, why, until, failures, jitter, now)
            }
            (Self::Connecting { account, .. }, Input::Up) => {
                (Self::Ready { account, since: now }, vec![Announce])
            }
            // The client noticed a dead socket, or the server restarted the stream, and it came back
            // without a word in between.
            (Self::Ready { account, .. }, Input::Up) => (Self::Ready { account, since: now }, vec![]),
            (Self::Ready { account, .. }, Input::Down) => {
                let next =
                    Self::Connecting { account, trying: Trying::Reconnecting, since: now, failures: 0 };
                (next, vec![patience, Announce])
            }
            (Self::Connecting { account, trying, since, failures }, Input::Due { jitter }) => {
                if now.since(since) >= trying.patience_ms() {
                    Self::rest(Some(account), Rest::Unreachable, None, failures, jitter, now)
                } else {
                    (Self::Connecting { account, trying, since, failures }, vec![])
                }
            }
            (Self::Connecting { account, failures, .. }, Input::Gone { why, until, jitter }) => {
                Self::rest(Some(account), why, until, failures, jitter, now)
            }
            (Self::Ready { account, .. }, Input::Gone { why, until, jitter }) => {
                Self::rest(Some(account), why, until, 0, jitter, now)
            }
            (Self::Resting { account, until, failures, .. }, Input::Due { .. }) if now >= until => {
                match account {
                    Some(account) => {
                        let next =
                            Self::Connecting { account, trying: Trying::Reconnecting, since: now, failures };
                        (next, vec![Open, patience])
                    }
                    None => (Self::linking(now, failures), vec![Open, patience]),
                }
            }
            // Another process still runs it: nothing of it has changed.
            (
                Self::Resting { account, why: Rest::HeldElsewhere, since, .. },
                Input::Gone { why: Rest::HeldElsewhere, jitter, .. },
            ) => {
                let until = drawn(HELD_MS, jitter, now);
                let next = Self::Resting { account, why: Rest::HeldElsewhere, until, since, failures: 0 };
                (next, vec![WakeAt(until)])
            }
            (state, Input::Over(why)) if state.is_running() => {
                let account = state.into_account();
                Self::end(why, account, now)
            }
            (state, Input::Stop) if state.is_running() || state.tries_again() => {
                (Self::Stopped { account: state.into_account(), since: now }, vec![Close, Save, Announce])
            }
            (state, _) => (state, vec![]),
        }
    }

    fn end(why: End, account: Option<Account>, now: At) -> (Self, Vec<Effect>) {
        use Effect::{Announce, Close, Forget, Save};
        if why.unlinks() {
            (Self::Ended { why, account: None, since: now }, vec![Close, Forget, Save, Announce])
        } else {
            (Self::Ended { why, account, since: now }, vec![Close, Save, Announce])
        }
    }

    fn linking(now: At, failures: u32) -> Self {
        Self::Linking { offers: Offers::default(), since: now, failures }
    }

    fn rest(
        account: Option<Account>,
        why: Rest,
        until: Option<At>,
        failures: u32,
        jitter: u16,
        now: At,
    ) -> (Self, Vec<Effect>) {
        let (pause, failures) = match why {
            Rest::HeldElsewhere => (HELD_MS, 0),
            _ => ((REST_MS << failures.min(10)).min(REST_MAX_MS), failures.saturating_add(1)),
        };
        let until = until.unwrap_or_else(|| drawn(pause, jitter, now));
        let next = Self::Resting { account, why, until, since: now, failures };
        let mut effects = vec![Effect::Close, Effect::WakeAt(until)];
        // What another process runs is that one's to tell.
        if why != Rest::HeldElsewhere {
            effects.push(Effect::Announce);
        }
        (next, effects)
    }

    /// Ended, but tried again by the next process.
    fn tries_again(&self) -> bool {
        matches!(self, Self::Ended { why: End::ClientOutdated, .. })
    }

    pub fn is_running(&self) -> bool {
        !matches!(self, Self::Stopped { .. } | Self::Ended { .. })
    }

    pub fn account(&self) -> Option<&Account> {
        match self {
            Self::Stopped { account, .. } | Self::Resting { account, .. } | Self::Ended { account, .. } => {
                account.as_ref()
            }
            Self::Connecting { account, .. } | Self::Ready { account, .. } => Some(account),
            Self::Linking { .. } => None,
        }
    }

    fn into_account(self) -> Option<Account> {
        self.account().cloned()
    }

    pub fn status(&self) -> Status {
        match self {
            Self::Linking { offers, .. } if offers.passkey.is_some() => Status::PasskeyRequired,
            Self::Linking { offers, .. } if offers.qr.is_some() => Status::QrReady,
            Self::Linking { .. } | Self::Connecting { trying: Trying::Starting, .. } => Status::Initializing,
            Self::Connecting { trying: Trying::AfterLinking, .. } => Status::Authenticated,
            Self::Ready { .. } => Status::Ready,
            Self::Connecting { trying: Trying::Reconnecting, .. }
            | Self::Stopped { .. }
            | Self::Resting { .. }
            | Self::Ended { .. } => Status::Disconnected,
        }
    }

    /// One word for why the status is what it is. Public API.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Stopped { .. } => "stopped",
            Self::Linking { offers, .. } if offers.passkey.is_some() => "passkey_required",
            Self::Linking { offers, .. } if offers.qr.is_some() => "waiting_for_scan",
            Self::Linking { .. } => "connecting",
            Self::Connecting { trying: Trying::AfterLinking, .. } => "linked",
            Self::Connecting { trying: Trying::Starting, .. } => "restoring",
            Self::Connecting { trying: Trying::Reconnecting, .. } => "connection_lost",
            Self::Ready { .. } => "connected",
            Self::Resting { why, .. } => match why {
                Rest::Banned => "temporary_ban",
                Rest::Unreachable => "unreachable",
                Rest::Refused => "refused_by_whatsapp",
                Rest::HeldElsewhere => "held_by_another_process",
                Rest::ProxyRefused => "proxy_not_allowed",
            },
            Self::Ended { why, .. } => why.as_str(),
        }
    }

    pub fn since(&self) -> At {
        match self {
            Self::Stopped { since, .. }
            | Self::Linking { since, .. }
            | Self::Connecting { since, .. }
            | Self::Ready { since, .. }
            | Self::Resting { since, .. }
            | Self::Ended { since, .. } => *since,
        }
    }
}

impl End {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::Replaced => "replaced",
            Self::QrExpired => "qr_expired",
            Self::ClientOutdated => "client_outdated",
            Self::AccountBlocked => "account_blocked",
            Self::PairingFailed => "pairing_failed",
            Self::OtherNumber => "other_number",
        }
    }

    /// Does WhatsApp no longer know this device, or is it to forget it? Then its keys are worthless.
    pub fn unlinks(self) -> bool {
        match self {
            Self::LoggedOut | Self::QrExpired | Self::PairingFailed | Self::OtherNumber => true,
            Self::Replaced | Self::ClientOutdated | Self::AccountBlocked => false,
        }
    }
}

/// When a pause ends: half of it is fixed, half is drawn.
fn drawn(pause_ms: i64, jitter: u16, now: At) -> At {
    now.plus_ms(pause_ms / 2 + pause_ms * i64::from(jitter) / 2000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn account() -> Account {
        Account { phone: "15550001".into(), jid: "15550001:1@s.whatsapp.net".into(), lid: None }
    }

    fn linked(expected: Option<&str>) -> Input {
        Input::Linked { account: account(), expected: expected.map(str::to_owned) }
    }

    fn ready() -> State {
        State::Ready { account: account(), since: At(0) }
    }

    fn gone(why: Rest, until: Option<At>) -> Input {
        Input::Gone { why, until, jitter: 500 }
    }

    fn after(state: State, inputs: impl IntoIterator<Item = (Input, i64)>) -> State {
        inputs.into_iter().fold(state, |s, (input, now)| s.step(input, At(now)).0)
    }

    fn qr() -> Input {
        Input::OfferedQr(Offer { secret: "2@x".into(), expires_at: At(60_000) })
    }

    #[test]
    fn a_number_is_linked_in_the_words_of_the_seed() {
        let mut state = State::Stopped { account: None, since: At(0) };
        let mut words = vec![];
        for input in [Input::Start, qr(), linked(None), Input::Up, Input::Down] {
            state = state.step(input, At(1)).0;
            words.push(state.status().as_str());
        }
        assert_eq!(words, ["initializing", "qr_ready", "authenticated", "ready", "disconnected"]);
    }

    #[test]
    fn a_dropped_connection_comes_back_without_us() {
        let (down, effects) = ready().step(Input::Down, At(10));
        assert_eq!(effects, [Effect::WakeAt(At(10 + PATIENCE_MS)), Effect::Announce]);
        assert!(matches!(down.step(Input::Up, At(20)).0, State::Ready { since: At(20), .. }));
    }

    #[test]
    fn a_silent_handshake_is_built_again_and_rests_longer_each_time() {
        let mut state = ready().step(Input::Down, At(0)).0;
        let mut pauses = vec![];
        let mut now = 0;
        for _ in 0..12 {
            now += PATIENCE_MS;
            let (resting, effects) = state.step(Input::Due { jitter: 1000 }, At(now));
            let State::Resting { until, .. } = resting else { panic!("{resting:?}") };
            assert!(effects.contains(&Effect::Close));
            pauses.push(until.since(At(now)));
            now = until.0;
            state = resting.step(Input::Due { jitter: 0 }, At(now)).0;
        }
        assert_eq!(pauses[..3], [2_000, 4_000, 8_000]);
        assert_eq!(pauses[11], REST_MAX_MS);
    }

    #[test]
    fn a_banned_number_rests_until_the_ban_ends() {
        let banned = ready().step(gone(Rest::Banned, Some(At(500))), At(10)).0;
        assert_eq!(banned.reason(), "temporary_ban");
        assert!(matches!(banned.clone().step(Input::Due { jitter: 0 }, At(499)).0, State::Resting { .. }));
        assert!(matches!(banned.step(Input::Due { jitter: 0 }, At(500)).0, State::Connecting { .. }));
    }

    #[test]
    fn a_logged_out_number_forgets_its_keys_and_must_be_linked_again() {
        let (ended, effects) = ready().step(Input::Over(End::LoggedOut), At(5));
        assert!(effects.contains(&Effect::Forget));
        let ended = after(ended, [(Input::Due { jitter: 0 }, 9), (Input::Up, 9)]);
        assert_eq!(ended.reason(), "logged_out");
        assert!(matches!(ended.step(Input::Start, At(10)).0, State::Linking { .. }));
    }

    #[test]
    fn a_replaced_number_keeps_its_link_but_does_not_fight_for_it() {
        let (ended, effects) = ready().step(Input::Over(End::Replaced), At(5));
        assert!(!effects.contains(&Effect::Forget));
        assert!(!ended.is_running());
        assert!(matches!(ended.step(Input::Start, At(10)).0, State::Connecting { .. }));
    }

    #[test]
    fn a_session_without_its_keys_is_logged_out_not_unreachable() {
        let stopped = State::Stopped { account: Some(account()), since: At(0) };
        let ended = after(stopped, [(Input::Start, 1), (qr(), 2)]);
        assert_eq!(ended.reason(), "logged_out");
    }

    #[test]
    fn another_number_is_turned_away_unless_any_may_be_linked() {
        let linking = State::Stopped { account: None, since: At(0) }.step(Input::Start, At(0)).0;
        for expected in [None, Some("15550001")] {
            let (next, _) = linking.clone().step(linked(expected), At(1));
            assert_eq!(next.status(), Status::Authenticated, "{expected:?}");
        }
        let (ended, effects) = linking.step(linked(Some("15550002")), At(1));
        assert_eq!((ended.status(), ended.reason()), (Status::Disconnected, "other_number"));
        assert_eq!(ended.account(), None);
        let turned_away = [Effect::TurnAway, Effect::Close, Effect::Forget, Effect::Save, Effect::Announce];
        assert_eq!(effects, turned_away);
        assert!(matches!(ended.step(Input::Start, At(2)).0, State::Linking { .. }));
    }

    #[test]
    fn what_another_process_still_runs_rests_on_as_before() {
        let gone = |jitter| Input::Gone { why: Rest::HeldElsewhere, until: None, jitter };
        let linking = State::Stopped { account: None, since: At(0) }.step(Input::Start, At(0)).0;
        let (rests, effects) = linking.step(gone(0), At(10));
        assert_eq!(effects, [Effect::Close, Effect::WakeAt(At(2_510))]);
        let (rests, effects) = rests.step(gone(1_000), At(2_510));
        assert_eq!(effects, [Effect::WakeAt(At(7_510))]);
        assert_eq!((rests.reason(), rests.since()), ("held_by_another_process", At(10)));
        assert!(matches!(rests.step(Input::Due { jitter: 0 }, At(7_510)).0, State::Linking { .. }));
    }

    #[test]
    fn only_the_first_qr_is_news() {
        let linking = State::Stopped { account: None, since: At(0) }.step(Input::Start, At(0)).0;
        let (linking, first) = linking.step(qr(), At(1));
        assert!(first.contains(&Effect::Announce));
        assert!(!linking.step(qr(), At(2)).1.contains(&Effect::Announce));
    }

    #[test]
    fn offers_that_ran_out_end_the_linking() {
        let linking =
            State::Stopped { account: None, since: At(0) }.step(Input::Start, At(0)).0.step(qr(), At(1)).0;
        let early = linking.clone().step(Input::Due { jitter: 0 }, At(69_999));
        assert_eq!(early.1, [Effect::WakeAt(At(70_000))]);
        let (ended, effects) = linking.step(Input::Due { jitter: 0 }, At(70_000));
        assert_eq!(ended.reason(), "qr_expired");
        assert!(effects.contains(&Effect::Forget));
    }

    #[test]
    fn a_passkey_that_nobody_shows_ends_the_linking() {
        let linking =
            State::Stopped { account: None, since: At(0) }.step(Input::Start, At(0)).0.step(qr(), At(1)).0;
        let (asked, effects) = linking.step(Input::PasskeyAsked("{}".to_owned()), At(2));
        let over = At(2 + PASSKEY_PATIENCE_MS + OFFER_GRACE_MS);
        assert!(effects.contains(&Effect::WakeAt(over)));
        // The QR has run out, and the phone is asked for the passkey all the same.
        let (asked, effects) = asked.step(Input::Due { jitter: 0 }, At(70_000));
        assert_eq!((asked.status(), effects), (Status::PasskeyRequired, vec![Effect::WakeAt(over)]));
        assert_eq!(asked.step(Input::Due { jitter: 0 }, over).0.reason(), "qr_expired");
    }

    #[test]
    fn a_late_signal_changes_nothing() {
        let stopped = State::Stopped { account: None, since: At(0) };
        let late =
            [Input::Up, Input::Down, Input::Due { jitter: 0 }, Input::Over(End::Replaced), Input::Stop, qr()];
        for input in late {
            assert_eq!(stopped.clone().step(input, At(1)), (stopped.clone(), vec![]));
        }
    }

    fn any_input() -> impl Strategy<Value = Input> {
        prop_oneof![
            Just(Input::Start),
            Just(Input::Stop),
            Just(qr()),
            Just(Input::PasskeyAsked("{}".into())),
            Just(linked(None)),
            Just(linked(Some("15550001"))),
            Just(linked(Some("15550002"))),
            Just(Input::Up),
            Just(Input::Down),
            (0u16..=1000).prop_map(|jitter| Input::Gone { why: Rest::Refused, until: None, jitter }),
            Just(Input::Over(End::LoggedOut)),
            Just(Input::Over(End::Replaced)),
            (0u16..=1000).prop_map(|jitter| Input::Due { jitter }),
        ]
    }

    proptest! {
        /// A link is open exactly while the state says so, and a running session that has no link is
        /// always waiting for a time that will come.
        #[test]
        fn links_open_and_close_in_turn(inputs in prop::collection::vec((any_input(), 0i64..100_000), 0..60)) {
            let mut state = State::Stopped { account: None, since: At(0) };
            let (mut open, mut now, mut wake) = (false, 0, None);
            for (input, later) in inputs {
                now += later;
                let (next, effects) = state.step(input, At(now));
                for effect in effects {
                    match effect {
                        Effect::Open => { prop_assert!(!open); open = true; }
                        Effect::Close => open = false,
                        Effect::WakeAt(at) => wake = Some(at),
                        _ => {}
                    }
                }
                state = next;
                let wants_link = matches!(state, State::Linking { .. } | State::Connecting { .. } | State::Ready { .. });
                prop_assert_eq!(open, wants_link, "{:?}", state);
                if let State::Resting { until, .. } = &state {
                    prop_assert_eq!(wake, Some(*until));
                }
            }
        }
    }
}
