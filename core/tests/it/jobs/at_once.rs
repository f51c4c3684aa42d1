//! Everything at once, from several processes: whatever comes first, the numbers stay true.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wapid_core::job::{Outcome, State};
use wapid_core::message::Status;
use wapid_core::store::ledger::{Accepted, Change, Changed, Outcome as Ending};

use super::books::contradictions;
use super::stories::World;
use super::{Job, blocked};
use crate::fixture::{Shop, TestDb, both, failed, together};

both!(whatever_happens_at_once_keeps_its_numbers_true);

/// And somebody polls meanwhile.
async fn whatever_happens_at_once_keeps_its_numbers_true(db: TestDb) {
    const ROUNDS: usize = 6;
    let stores = [db.store().await, db.store().await];
    let shop = Shop::new(&stores[0], "shop").await;
    for round in 0..ROUNDS {
        let job = Job::of(&shop, 24).await;
        let over = Arc::new(AtomicBool::new(false));
        let poller = tokio::spawn({
            let (job, over) = (job.clone(), over.clone());
            async move {
                let mut last = 0;
                while !over.load(Ordering::Relaxed) {
                    let row = job.row().await;
                    assert!(row.processed() >= last && row.processed() <= row.total, "{row:?}");
                    assert!(row.state != State::Completed || row.processed() == row.total, "{row:?}");
                    last = row.processed();
                }
            }
        });
        together((0..12).map(|nth| {
            let store = stores[nth % 2].clone();
            let job = Job { shop: Shop { store, ..shop.clone() }, ..job.clone() };
            async move { elbow(&job).await }
        }))
        .await;
        over.store(true, Ordering::Relaxed);
        poller.await.unwrap();
        assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());

        if round % 2 == 1 {
            assert!(matches!(job.change(Change::Cancel).await, Changed::Done | Changed::TooLate(_)));
        }
        let mut world = World { job, epoch: 2, sent: vec![] };
        for message in shop.store.claim_unsettled(&shop.owner.session, 2).await.unwrap() {
            world.sent.push((message.key, message.wa_id));
        }
        world.finish().await;
        let row = world.job.row().await;
        assert!(row.state == State::Cancelled || row.processed() == 24, "{row:?}");
        assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
    }
}

/// Twenty random deeds, most of which come too late for somebody.
async fn elbow(job: &Job) {
    for _ in 0..20 {
        let seq = rand::random_range(1..=24);
        match rand::random_range(0..12) {
            0 => job.dismiss(seq, Outcome::Skipped, "OPTED_OUT").await,
            1 => drop(job.change(Change::Pause).await),
            2 | 3 => drop(job.change(Change::Resume).await),
            _ => {
                let intent = job.intent(seq);
                let wa_id = intent.wa_id.clone();
                let Ok(Accepted::New { key, .. }) = job.shop.store.accept(intent).await else { continue };
                match rand::random_range(0..6) {
                    0 => job.settle(&key, failed()).await,
                    1 => job.settle(&key, blocked()).await,
                    2 => {
                        let receipt = job.shop.receipt(&wa_id, Status::Delivered);
                        tokio::join!(receipt, job.settle(&key, Ending::Sent));
                    }
                    // Left on its way.
                    3 => {}
                    _ => job.settle(&key, Ending::Sent).await,
                }
            }
        }
    }
}
