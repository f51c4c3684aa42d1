//! The sessions that this process knows: what each shows of itself, and the way to its task.
//!
//! A look reads and starts nothing; [`Sessions::adopt`] alone spawns a task.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::error;
use wapid_core::id::{SessionId, SessionKey, TenantId};
use wapid_core::key::Mode;
use wapid_core::session::{State, Status};
use wapid_core::store::sessions::SessionRow;
use wapid_core::store::{StoreError, TenantStore};

use super::{Command, Sessions, outbox, task};
use crate::link::Link;

/// How long after a panic a session begins again.
const PANIC_PAUSE: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(super) struct Table {
    pub(super) handles: HashMap<SessionKey, Handle>,
    /// What callers call them.
    pub(super) names: HashMap<(TenantId, Mode, SessionId), SessionKey>,
}

impl Table {
    fn refreshed(&mut self, row: &SessionRow) -> Option<Handle> {
        let handle = self.handles.get_mut(&row.key)?;
        if *handle.row != *row {
            handle.row = Arc::new(row.clone());
            let _ = handle.commands.send(Command::Refresh(Box::new(row.clone())));
        }
        Some(handle.clone())
    }
}

/// How the rest of the process reaches a session's task.
#[derive(Clone)]
pub(super) struct Handle {
    pub(super) row: Arc<SessionRow>,
    pub(super) commands: mpsc::UnboundedSender<Command>,
    pub(super) view: watch::Receiver<View>,
}

/// What a session shows of itself.
#[derive(Clone)]
pub struct View {
    pub state: State,
    /// Of the lease under which the session's link was opened.
    pub(super) epoch: i64,
    pub(super) link: Option<Weak<Link>>,
    /// Were the messages taken up that lay there without a verdict when the lease was taken?
    pub(super) took_up: bool,
}

impl View {
    pub(super) fn of(state: State) -> Self {
        Self { state, epoch: 0, link: None, took_up: false }
    }
}

impl Handle {
    /// Hands a message to the session's task. One that has ended drops it, and it is found by its row.
    pub(super) fn transmit(&self, outgoing: outbox::Outgoing) {
        let _ = self.commands.send(Command::Transmit(Box::new(outgoing)));
    }
}

impl Sessions {
    /// The tenant's session of that name: from memory where this process runs it, else from the database, which knows
    /// what others did with it. Nothing is started by a look.
    pub async fn find(&self, tenant: &TenantStore, id: &SessionId) -> Result<Option<SessionRow>, StoreError> {
        let name = (tenant.tenant_id().clone(), tenant.mode(), id.clone());
        let known = {
            let table = self.0.table.read();
            let handle = table.names.get(&name).and_then(|key| table.handles.get(key));
            handle.filter(|handle| handle.view.borrow().link.is_some()).map(|handle| handle.row.clone())
        };
        match known {
            Some(row) => Ok(Some(row.as_ref().clone())),
            None => tenant.session(id).await,
        }
    }

    /// Where a session stands; `None` for one this process has not seen.
    pub fn view(&self, key: &SessionKey) -> Option<View> {
        self.handle(key).map(|handle| handle.view.borrow().clone())
    }

    /// Where a session stands, seen from here: one that this process never ran rests where its row
    /// says.
    pub fn view_of(&self, row: &SessionRow) -> View {
        self.view(&row.key).unwrap_or_else(|| {
            let is_restored = *self.0.restored.borrow();
            View::of(task::state_unseen(row, is_restored, self.now()))
        })
    }

    /// The number that a session of this tenant is linked to.
    pub fn own_number(&self, tenant: &TenantStore, id: &SessionId) -> Option<String> {
        let table = self.0.table.read();
        let key = table.names.get(&(tenant.tenant_id().clone(), tenant.mode(), id.clone()))?;
        let view = table.handles.get(key)?.view.borrow();
        view.state.account().map(|account| account.phone.clone())
    }

    /// Follows a session's standing.
    pub fn watch(&self, key: &SessionKey) -> Option<watch::Receiver<View>> {
        self.handle(key).map(|handle| handle.view)
    }

    /// How many sessions stand where, for metrics.
    pub fn census(&self) -> HashMap<Status, usize> {
        let mut census: HashMap<_, _> = Status::ALL.into_iter().map(|status| (status, 0)).collect();
        for handle in self.0.table.read().handles.values() {
            *census.entry(handle.view.borrow().state.status()).or_default() += 1;
        }
        census
    }

    pub(super) fn handle(&self, key: &SessionKey) -> Option<Handle> {
        self.0.table.read().handles.get(key).cloned()
    }

    /// The way to a session's own task, for what works beside it.
    pub(super) fn commands_of(&self, key: &SessionKey) -> Option<mpsc::WeakUnboundedSender<Command>> {
        self.handle(key).map(|handle| handle.commands.downgrade())
    }

    /// Of the lease under which this process runs a session.
    pub(super) fn epoch_of(&self, key: &SessionKey) -> Option<i64> {
        self.handle(key).map(|handle| handle.view.borrow().epoch)
    }

    /// The task of this row where there is one, which hears what the row says by now.
    pub(super) fn refreshed(&self, row: &SessionRow) -> Option<Handle> {
        self.0.table.write().refreshed(row)
    }

    /// The task of this row, spawned if it is not running yet.
    pub(super) fn adopt(&self, row: SessionRow) -> Handle {
        let mut table = self.0.table.write();
        if let Some(handle) = table.refreshed(&row) {
            return handle;
        }
        let (commands, inbox) = mpsc::unbounded_channel();
        let now = self.store().clock().now();
        let state = task::state_of(&row, now);
        let (view_tx, view) = watch::channel(View::of(state.clone()));
        let handle = Handle { row: Arc::new(row.clone()), commands, view };
        table.names.insert((row.tenant.clone(), row.mode, row.id.clone()), row.key.clone());
        table.handles.insert(row.key.clone(), handle.clone());
        let task = task::Task::new(self.clone(), row.clone(), state, view_tx, inbox);
        let sessions = self.clone();
        tokio::spawn(async move {
            // A panic in one session is a bug, and must not look like a healthy silence: the session
            // begins again from its row, and its messages are found there.
            // What the panic says may hold what a caller sent; the panic hook has said where.
            if tokio::spawn(task.run()).await.is_err() {
                error!(session.key = %row.key, "A session's task ended by a panic");
                sessions.begin_again(&row).await;
            }
        });
        handle
    }

    pub(super) fn forget_handle(&self, row: &SessionRow) {
        let mut table = self.0.table.write();
        table.handles.remove(&row.key);
        self.0.timers.forget(&row.key);
        self.0.lookups.forget(&row.key);
        let name = (row.tenant.clone(), row.mode, row.id.clone());
        // The name may be a newer session's by now.
        if table.names.get(&name) == Some(&row.key) {
            table.names.remove(&name);
        }
    }

    /// A session that another process runs is not waited for any more.
    pub(super) fn let_go(&self, handle: &Handle) {
        self.forget_handle(&handle.row);
        let (done, _) = oneshot::channel();
        let _ = handle.commands.send(Command::Shutdown(done));
    }

    pub(super) async fn begin_again(&self, row: &SessionRow) {
        self.forget_handle(row);
        // The dropped link ends on its next poll; the same keys must not be opened before.
        tokio::time::sleep(PANIC_PAUSE).await;
        match self.store().session_by_key(&row.key).await {
            Ok(Some(row)) if task::is_wanted(&row) => {
                let _ = self.adopt(row).commands.send(Command::Start);
            }
            Ok(_) => {}
            Err(error) => error!(session.key = %row.key, "A session could not be begun again: {error}"),
        }
    }
}
