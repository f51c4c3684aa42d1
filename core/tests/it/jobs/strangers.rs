//! Nobody else sees or steers a job, a list or a setting: not another tenant, nor the same one in its
//! other mode.

use wapid_core::job::{Outcome, State};
use wapid_core::key::Mode;
use wapid_core::opt_out::Settings;
use wapid_core::store::jobs::{JobFilter, NewJob, Retried};
use wapid_core::store::ledger::{Change, Changed, Idempotency, Intent, JobPart, Owner, Refused};

use super::books::contradictions;
use super::{DRAW, Job, listed, new_job, phone_of, phones};
use crate::fixture::{START, Shop, TestDb, both, failed};

both!(a_stranger_sees_and_steers_nothing);

async fn a_stranger_sees_and_steers_nothing(db: TestDb) {
    let store = db.store().await;
    let (shop, other) = (Shop::new(&store, "shop").await, Shop::new(&store, "other").await);
    let key = Idempotency { key: "k".into(), fingerprint: [1; 32], expires_at: START.plus_ms(1_000) };
    let new = NewJob { idempotency: Some(key.clone()), ..new_job(&shop.owner) };
    let made = shop.live().create_job(new, listed(&phones(4))).await.unwrap();
    let job = Job { shop: shop.clone(), owner: shop.owner.clone(), id: made.id };
    job.end(1, failed()).await;
    job.send(2).await;
    let settings =
        Settings { default_country: Some("BR".into()), applies_to_all: true, ..Settings::default() };
    shop.live().save_settings(&settings).await.unwrap();
    shop.live().opt_out(&phone_of(3)).await.unwrap();
    let before = job.picture().await;

    let strangers = [
        store.tenant(other.tenant.id.clone(), Mode::Live),
        store.tenant(other.tenant.id.clone(), Mode::Test),
        store.tenant(shop.tenant.id.clone(), Mode::Test),
    ];
    for stranger in strangers {
        assert!(stranger.job(&job.id).await.unwrap().is_none());
        for session in [None, Some(job.owner.session_id.clone())] {
            for state in [None, Some(State::Running)] {
                let filter = JobFilter { session: session.clone(), state };
                assert!(stranger.jobs(&filter, None, 9).await.unwrap().rows.is_empty());
            }
        }
        assert!(stranger.outlook(&job.owner.session).await.unwrap().is_none());
        for change in [Change::Pause, Change::Resume, Change::Cancel] {
            assert_eq!(stranger.change_job(&job.id, change).await.unwrap(), Changed::NotFound);
        }
        assert_eq!(stranger.job_underway(&job.id).await.unwrap(), 0);
        for unknown_too in [false, true] {
            assert_eq!(stranger.retry_failed(&job.id, unknown_too).await.unwrap(), Retried::NotFound);
        }
        for outcome in [None, Some(Outcome::Failed), Some(Outcome::Queued)] {
            assert!(stranger.recipients(&job.id, outcome, 0, 9).await.unwrap().rows.is_empty());
        }
        assert!(stranger.tallies(&job.id).await.unwrap().is_empty());
        assert!(stranger.job_of_key(&key).await.unwrap().is_none());
        assert_eq!(stranger.settings().await.unwrap(), Settings::default());
        assert!(stranger.opt_outs(None, 9).await.unwrap().is_empty());
        assert!(!stranger.is_opted_out(&phone_of(3)).await.unwrap());
        assert!(!stranger.opt_in(&phone_of(3)).await.unwrap());
        // What a stranger does under these names is the stranger's own.
        stranger.save_settings(&Settings::default()).await.unwrap();
        assert!(stranger.opt_out(&phone_of(4)).await.unwrap());
        let owner =
            Owner { tenant: stranger.tenant_id().clone(), mode: stranger.mode(), ..other.owner.clone() };
        let part = JobPart { job: job.id.clone(), seq: 4, draw: DRAW };
        let refused = store.accept(Intent { owner, job: Some(part), ..job.intent(4) }).await;
        assert!(matches!(refused, Err(Refused::NotReleased | Refused::NoSession)), "{refused:?}");
    }
    assert_eq!(job.picture().await, before);
    assert_eq!(shop.live().settings().await.unwrap(), settings);
    assert!(shop.live().is_opted_out(&phone_of(3)).await.unwrap());
    assert!(!shop.live().is_opted_out(&phone_of(4)).await.unwrap());
    assert_eq!(contradictions(&store).await, Vec::<String>::new());
}
