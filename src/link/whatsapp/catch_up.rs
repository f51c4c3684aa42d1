//! What the owner's phone changes while an earlier change is being fetched.
//!
//! The server tells of a change (`<notification type="server_sync"><collection name version/>`), and
//! whatsapp-rust 0.7.0 fetches it, but not while it fetches the same collection for the change before: the
//! answer that is under way may not have the later one, which is then missed until the phone changes something
//! else (`client/app_state.rs`, `ReservationWait::SkipBehindSync`). So a moment later it is looked whether the
//! version that was told of is there.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::warn;
use wacore::appstate::patch_decode::WAPatchName;
use wacore::store::traits::Backend;
use wacore_binary::NodeRef;
use whatsapp_rust::Client;
use whatsapp_rust::sync_task::MajorSyncTask;

/// Time for the client to do it by itself.
const PAUSE: Duration = Duration::from_secs(1);
/// How long one collection may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes note of changes. Its task ends with it or with the client.
pub(super) struct CatchUp(mpsc::UnboundedSender<(WAPatchName, u64)>);

impl CatchUp {
    pub(super) fn start(client: &Arc<Client>, backend: Arc<dyn Backend>) -> Self {
        let (tx, rx) = mpsc::unbounded_channel();
        tokio::spawn(follow(Arc::downgrade(client), backend, rx));
        Self(tx)
    }

    pub(super) fn note(&self, node: &NodeRef<'_>) {
        let is_change = node.tag == "notification"
            && node.get_attr("type").is_some_and(|kind| kind.as_str() == "server_sync");
        if !is_change {
            return;
        }
        for collection in node.get_children_by_tag("collection") {
            let text = |name: &str| collection.get_attr(name).map(|value| value.as_str().into_owned());
            let name: Option<WAPatchName> = text("name").and_then(|name| name.parse().ok());
            let version = text("version").and_then(|version| version.parse().ok());
            if let Some(change) = name.zip(version) {
                let _ = self.0.send(change);
            }
        }
    }
}

async fn follow(
    client: Weak<Client>,
    backend: Arc<dyn Backend>,
    mut changes: mpsc::UnboundedReceiver<(WAPatchName, u64)>,
) {
    while let Some(first) = changes.recv().await {
        tokio::time::sleep(PAUSE).await;
        let mut told: HashMap<&'static str, (WAPatchName, u64)> = HashMap::new();
        let later = std::iter::from_fn(|| changes.try_recv().ok());
        for (name, version) in std::iter::once(first).chain(later) {
            let known = told.entry(name.as_str()).or_insert((name, version));
            known.1 = known.1.max(version);
        }
        for (name, version) in told.into_values() {
            let is_there =
                backend.get_version(name.as_str()).await.is_ok_and(|state| state.version >= version);
            let Some(client) = client.upgrade().filter(|_| !is_there) else { continue };
            let task = MajorSyncTask::AppStateSync { name, full_sync: false };
            if tokio::time::timeout(PATIENCE, client.process_sync_task(task)).await.is_err() {
                warn!("A change of the phone was not fetched in time");
            }
        }
    }
}
