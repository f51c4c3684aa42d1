//! What a link can be asked, on a sandbox and without a gateway.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc;
use wacore::store::traits::DeviceStore as _;
use wapid::link::{ASKED_MAX, AskFailure, Health, Link, Listing, SendFailure, Signal, Timelock, Way, Wiring};
use wapid_core::clock::Clock;
use wapid_core::id::SessionKey;
use wapid_core::people::Who;
use wapid_core::phone::Phone;
use wapid_core::store::{Durability, Store};
use wapid_keystore::{Keystore, Keystores};
use wapid_sandbox::{Fault, FaultKind, Sandbox, Storage};

const BOOK: &str = "shop";
const SHOP: &str = "5511900000001";
const ANA: &str = "5511900000002";
const NOBODY: &str = "5511900009999";
const DEADLINE: Duration = Duration::from_secs(30);

/// A link that is up, and what it stands on.
struct Linked {
    sandbox: Sandbox,
    link: Link,
    keystores: Keystores,
    /// The link's own.
    keys: Keystore,
    _home: TempDir,
}

async fn linked() -> Linked {
    let sandbox = Sandbox::open(Storage::Memory).await.expect("a sandbox");
    for phone in [SHOP, ANA] {
        sandbox.create_phone(BOOK, phone, "Somebody").await.expect("a phone");
    }
    let way = Way::Sandbox {
        transport: sandbox.transport(BOOK),
        http: sandbox.http(BOOK),
        static_key: sandbox.static_key(),
    };
    let home = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", home.path().join("wapid.db").display());
    let store = Store::open(&url, Durability::Process, &[7; 32], Clock::System).await.expect("a store");
    let keystores = Keystores::new(store.db().clone(), store.seal().clone());
    let keys = keystores.of(SessionKey::new());
    let wiring = Wiring { keys: keys.clone(), way, hides: Arc::default(), device_name: "Test".into() };
    let (told, mut signals) = mpsc::unbounded_channel();
    let tell = move |signal| {
        let _ = told.send(signal);
    };
    let (commit, recall) =
        (Arc::new(|_, _| Box::pin(async { Ok(()) }) as _), Arc::new(|_| Box::pin(async { Ok(None) }) as _));
    let link = Link::open(wiring, tell, commit, recall).await.expect("a link");
    let up = async {
        loop {
            match signals.recv().await.expect("the link lives") {
                Signal::Qr { secret, .. } => sandbox.scan(BOOK, SHOP, &secret).await.expect("a valid QR"),
                Signal::Up => return,
                _ => {}
            }
        }
    };
    tokio::time::timeout(DEADLINE, up).await.expect("the link comes up");
    Linked { sandbox, link, keystores, keys, _home: home }
}

async fn restrict(sandbox: &Sandbox, kind: FaultKind) {
    sandbox.fault(BOOK, SHOP, Fault { ms: Some(3_600_000), ..kind.into() }).await.expect("a fault");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accounts_standing_is_what_whatsapp_says() {
    let Linked { sandbox, link, .. } = &linked().await;
    let Health { timelock, new_chats } = link.health().await.expect("an answer");
    let healthy = new_chats.expect("a quota");
    assert_eq!((timelock, healthy.status.as_str()), (Timelock::Inactive, "NONE"));
    assert!(healthy.used < healthy.quota && healthy.cycle_ends_ms.is_some(), "{healthy:?}");

    restrict(sandbox, FaultKind::ReachoutTimelock).await;
    restrict(sandbox, FaultKind::NewChatCapped).await;
    let Health { timelock, new_chats } = link.health().await.expect("an answer");
    let Timelock::Active { until_ms: Some(until_ms) } = timelock else { panic!("{timelock:?}") };
    let capped = new_chats.expect("a quota");
    assert_eq!((capped.status.as_str(), capped.used), ("CAPPED", capped.quota));
    // Both were set for an hour within the same moments.
    assert!((until_ms - capped.cycle_ends_ms.expect("an end")).abs() < 60_000);
    link.close().await;
    assert!(matches!(link.health().await, Err(SendFailure::Lost)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_question_asks_for_many_numbers() {
    let Linked { link, .. } = &linked().await;
    let answers = link.look_up(&[NOBODY, ANA, SHOP, "15550000009", ANA]).await.expect("answers");
    let phones = answers.iter().map(|listing| match listing {
        Listing::Account(who) => who.phone.as_ref().map(Phone::digits),
        Listing::Nobody | Listing::Unclear => None,
    });
    assert_eq!(phones.collect::<Vec<_>>(), [None, Some(ANA), Some(SHOP), None, Some(ANA)]);
    assert_eq!((&answers[0], &answers[3]), (&Listing::Nobody, &Listing::Nobody));
    let refused = link.look_up(&[ANA; ASKED_MAX + 1]).await;
    assert!(matches!(refused, Err(AskFailure::Invalid(_))), "{refused:?}");
    // Without the LID, the client would ask once more before it writes to her.
    let ana = Phone::from_whatsapp(ANA).expect("a number");
    let names = link.names(&Who { phone: Some(ana), lid: None }).await;
    assert!(names.lid.is_some_and(|lid| lid.len() == 15));
    link.close().await;
    assert_eq!(link.look_up(&[ANA]).await, Err(AskFailure::Lost));
}

/// What the client changes last is kept, and what it would write afterwards brings nothing back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_link_has_written_its_last() {
    let Linked { link, keystores, keys, .. } = &linked().await;
    link.close().await;
    let next = keystores.of(keys.session().clone());
    let device = next.load().await.expect("it reads").expect("a device");
    assert_eq!(device.pn.as_ref().map(|own| own.user.as_str()), Some(SHOP));
    next.forget().await.expect("forgotten");
    keys.save(&device).await.expect_err("its link is closed");
    assert!(next.load().await.expect("it reads").is_none());
}
