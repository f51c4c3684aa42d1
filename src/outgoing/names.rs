//! Whose names are looked up, how many at a time, and what is remembered of those that nobody answers.
//!
//! A look-up of the system holds a thread until the name server answers or the system gives up, which takes
//! some ten seconds where a server is silent. So look-ups have turns: a tenant has a few, and its first is never
//! behind those of others. Whoever gives up has left the line; a look-up that has begun is run to its end, and
//! whoever asks for the same name meanwhile waits for that one. That a name has no address is remembered for a
//! short time, and longer where it took long to find out. Addresses are not kept: the system's own cache knows how
//! long each one is good.

use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::Instant;
use wapid_core::id::TenantId;
use wapid_core::key::Mode;
use wapid_core::store::TenantStore;
use wapid_core::turns::Turns;

/// Threads that wait for name servers.
const LOOKUPS_AT_ONCE: usize = 128;
/// Of one tenant in one mode.
const LOOKUPS_OF_ONE: usize = 16;
/// How long it is remembered that a name has no address.
const NONE_KEPT: Duration = Duration::from_secs(3);
/// An answer that took so long is silence: the system has asked again before it gave up.
const SILENCE: Duration = Duration::from_secs(4);
/// How long a name is left alone after silence.
const SILENCE_KEPT: Duration = Duration::from_secs(10);
/// Names without an address that are remembered. The rest is asked for again.
const KEPT_MAX: usize = 10_000;

/// On whose behalf something is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asker {
    pub tenant: TenantId,
    pub mode: Mode,
}

impl Asker {
    pub fn of(tenant: &TenantStore) -> Self {
        Self { tenant: tenant.tenant_id().clone(), mode: tenant.mode() }
    }
}

/// Nobody knows the name, or nobody could be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name has no address")]
pub(super) struct NoAddress;

type Found = Result<Arc<[SocketAddr]>, NoAddress>;
type LookUp = Shared<BoxFuture<'static, Found>>;

/// The names that are looked up. Cheap to clone.
#[derive(Clone)]
pub(super) struct Names {
    system: Arc<dyn Resolve>,
    turns: Turns<Asker>,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    underway: HashMap<String, LookUp>,
    /// Names without an address, and until when they are not asked for.
    none: HashMap<String, Instant>,
}

impl Names {
    pub(super) fn of(system: Arc<dyn Resolve>) -> Self {
        let turns = Turns::with_share(LOOKUPS_AT_ONCE, LOOKUPS_OF_ONE);
        Self { system, turns, known: Arc::default() }
    }

    /// The addresses of a name, as of now. To be given up by dropping it.
    pub(super) async fn look_up(&self, asker: &Asker, name: &str) -> Found {
        let turn = match self.known.lock().answer(name, Instant::now()) {
            Some(Answer::None) => return Err(NoAddress),
            Some(Answer::Underway(look_up)) => Err(look_up),
            None => Ok(()),
        };
        if let Err(look_up) = turn {
            return look_up.await;
        }
        let turn = self.turns.wait(asker).await;
        let look_up = {
            // Somebody else may have asked while this one stood in line.
            let mut known = self.known.lock();
            match known.answer(name, Instant::now()) {
                Some(Answer::None) => return Err(NoAddress),
                Some(Answer::Underway(look_up)) => look_up,
                None => {
                    let names = self.clone();
                    let asked = name.to_owned();
                    let task = tokio::spawn(async move {
                        let _turn = turn;
                        names.ask(asked).await
                    });
                    let look_up = async move { task.await.unwrap_or(Err(NoAddress)) }.boxed().shared();
                    known.underway.insert(name.to_owned(), look_up.clone());
                    look_up
                }
            }
        };
        look_up.await
    }

    /// Asks, and remembers what is to be remembered.
    async fn ask(self, name: String) -> Found {
        let begun = Instant::now();
        let asked = match name.parse() {
            Ok(asked) => self.system.resolve(asked).await.map_err(|_| NoAddress),
            Err(_) => Err(NoAddress),
        };
        let found: Arc<[SocketAddr]> = asked.map(Iterator::collect).unwrap_or_default();
        let mut known = self.known.lock();
        known.underway.remove(&name);
        if !found.is_empty() {
            return Ok(found);
        }
        known.note_none(name, begun, Instant::now());
        Err(NoAddress)
    }
}

enum Answer {
    None,
    Underway(LookUp),
}

impl Known {
    fn answer(&self, name: &str, now: Instant) -> Option<Answer> {
        if self.none.get(name).is_some_and(|until| *until > now) {
            return Some(Answer::None);
        }
        self.underway.get(name).cloned().map(Answer::Underway)
    }

    /// Notes that a name was asked for and has no address.
    fn note_none(&mut self, name: String, begun: Instant, now: Instant) {
        let kept = if now - begun >= SILENCE { SILENCE_KEPT } else { NONE_KEPT };
        if self.none.len() >= KEPT_MAX {
            self.none.retain(|_, until| *until > now);
        }
        if self.none.len() < KEPT_MAX {
            self.none.insert(name, now + kept);
        }
    }
}

/// The machine's own name service.
pub(super) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || (name.as_str(), 0).to_socket_addrs());
            Ok(Box::new(found.await??) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::poll_immediate;
    use tokio::sync::Semaphore;

    use super::*;

    /// A name service that knows nothing of `*.silent.example` until it is told to give up, nothing at all of
    /// `*.none.example`, and one address of every other name.
    struct Service {
        asked: AtomicUsize,
        gives_up: Arc<Semaphore>,
    }

    struct Reach {
        service: Arc<Service>,
        names: Names,
    }

    impl Resolve for Service {
        fn resolve(&self, name: Name) -> Resolving {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let gives_up = self.gives_up.clone();
            Box::pin(async move {
                if name.as_str().ends_with(".silent.example") {
                    gives_up.acquire().await?.forget();
                    return Err("silence".into());
                }
                if name.as_str().ends_with(".none.example") {
                    return Err("no such name".into());
                }
                Ok(Box::new(std::iter::once(SocketAddr::from(([8, 8, 8, 8], 0)))) as Addrs)
            })
        }
    }

    impl Reach {
        fn new() -> Self {
            let service =
                Arc::new(Service { asked: AtomicUsize::new(0), gives_up: Arc::new(Semaphore::new(0)) });
            Self { names: Names::of(service.clone()), service }
        }

        fn asked(&self) -> usize {
            self.service.asked.load(Ordering::SeqCst)
        }
    }

    fn asker(tenant: &str, mode: Mode) -> Asker {
        Asker { tenant: TenantId(tenant.into()), mode }
    }

    /// Begins to look up so many names of a silent server, and goes on waiting for them.
    async fn starve(reach: &Reach, greedy: &Asker, count: usize) -> Vec<tokio::task::JoinHandle<Found>> {
        let before = reach.asked();
        let waiting = (0..count)
            .map(|number| {
                let (names, greedy) = (reach.names.clone(), greedy.clone());
                let name = format!("{number}.{}.silent.example", greedy.tenant.as_str());
                tokio::spawn(async move { names.look_up(&greedy, &name).await })
            })
            .collect();
        // Each begins as far as it gets.
        for _ in 0..count + 100 {
            tokio::task::yield_now().await;
        }
        assert!(reach.asked() > before);
        waiting
    }

    #[tokio::test]
    async fn names_of_a_silent_server_delay_no_other_key() {
        let reach = Reach::new();
        let greedy = asker("a", Mode::Test);
        let _waiting = starve(&reach, &greedy, 500).await;
        assert_eq!(reach.asked(), LOOKUPS_OF_ONE);
        for other in [asker("b", Mode::Test), asker("a", Mode::Live)] {
            let found =
                tokio::time::timeout(Duration::from_secs(5), reach.names.look_up(&other, "hooks.example"));
            assert!(found.await.expect("at once").is_ok(), "{other:?}");
        }
        // What the greedy one has in line itself is its own business.
        assert!(poll_immediate(Box::pin(reach.names.look_up(&greedy, "own.example"))).await.is_none());
    }

    #[tokio::test]
    async fn ten_such_keys_leave_a_first_turn_to_the_eleventh() {
        let reach = Reach::new();
        let mut waiting = vec![];
        for number in 0..10 {
            waiting.extend(starve(&reach, &asker(&format!("t{number}"), Mode::Live), 100).await);
        }
        let honest = asker("honest", Mode::Live);
        let found =
            tokio::time::timeout(Duration::from_secs(5), reach.names.look_up(&honest, "hooks.example"));
        assert!(found.await.expect("at once").is_ok());
    }

    #[tokio::test]
    async fn who_gives_up_has_left_the_line() {
        let reach = Reach::new();
        let greedy = asker("a", Mode::Test);
        let waiting = starve(&reach, &greedy, 500).await;
        for gone in &waiting {
            gone.abort();
        }
        reach.service.gives_up.add_permits(LOOKUPS_OF_ONE);
        assert!(reach.names.look_up(&greedy, "own.example").await.is_ok());
        // 484 names that nobody waits for any more were never asked for.
        assert_eq!(reach.asked(), LOOKUPS_OF_ONE + 1);
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_left_alone_by_everybody() {
        let reach = Reach::new();
        for asker in [asker("a", Mode::Test), asker("b", Mode::Live)] {
            assert_eq!(reach.names.look_up(&asker, "x.none.example").await, Err(NoAddress));
        }
        assert_eq!(reach.asked(), 1);
    }

    #[tokio::test]
    async fn two_who_want_the_same_name_share_a_look_up() {
        let reach = Reach::new();
        let a = asker("a", Mode::Test);
        let first = starve(&reach, &a, 1).await;
        let mut second = Box::pin(reach.names.look_up(&a, "0.a.silent.example"));
        assert!(poll_immediate(&mut second).await.is_none());
        reach.service.gives_up.add_permits(1);
        for look_up in first {
            assert_eq!(look_up.await.unwrap(), Err(NoAddress));
        }
        assert_eq!(second.await, Err(NoAddress));
        assert_eq!(reach.asked(), 1);
    }

    #[test]
    fn that_a_name_has_no_address_is_remembered_for_a_short_time_and_silence_longer() {
        let begun = Instant::now();
        let knows = |known: &Known, at| known.answer("x.example", at).is_some();
        for (took, kept) in [(Duration::from_millis(5), NONE_KEPT), (SILENCE, SILENCE_KEPT)] {
            let mut known = Known::default();
            let now = begun + took;
            known.note_none("x.example".into(), begun, now);
            assert!(knows(&known, now) && knows(&known, now + kept - Duration::from_millis(1)));
            assert!(!knows(&known, now + kept));
        }
    }

    #[test]
    fn what_is_remembered_of_names_is_bounded() {
        let now = Instant::now();
        let mut known = Known::default();
        for number in 0..KEPT_MAX + 10 {
            known.note_none(format!("{number}.example"), now, now);
        }
        assert_eq!(known.none.len(), KEPT_MAX);
        known.note_none("later.example".into(), now + NONE_KEPT, now + NONE_KEPT);
        assert_eq!(known.none.len(), 1);
    }

    #[tokio::test]
    async fn an_address_is_asked_for_each_time() {
        let reach = Reach::new();
        let a = asker("a", Mode::Test);
        for asked in 1..=3 {
            assert!(reach.names.look_up(&a, "hooks.example").await.is_ok());
            assert_eq!(reach.asked(), asked);
        }
        assert!(reach.names.known.lock().underway.is_empty());
    }
}
