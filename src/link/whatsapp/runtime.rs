//! The client's runtime: tokio, where what is spawned and forgotten begins in the order of spawning.
//!
//! whatsapp-rust 0.7.0 gives every notification, receipt and ack a task of its own (`client/node_io.rs`), and
//! on a busy machine tasks begin in any order. A stanza's task hands it on as a raw node before it first waits,
//! so with tasks that begin one after the other raw nodes come in the order of the wire. Nothing is promised
//! beyond a task's first wait: one that waits holds up nobody.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use wacore::runtime::{AbortHandle, Runtime};
use whatsapp_rust::TokioRuntime;

type Detached = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

#[derive(Default)]
pub(super) struct OrderedRuntime(Arc<Line>);

/// As many wait here as there are tasks that have not begun.
#[derive(Default)]
struct Line {
    waiting: Mutex<VecDeque<Detached>>,
    /// Held while one begins.
    turn: Mutex<()>,
}

/// A task that takes up whatever is first in the line when it begins.
struct Begins {
    line: Arc<Line>,
    begun: Option<Detached>,
}

impl Future for Begins {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(begun) = &mut self.begun {
            return begun.as_mut().poll(cx);
        }
        let line = self.line.clone();
        let _turn = line.turn.lock();
        // What begins may spawn more, so the line itself is not held.
        let Some(mut first) = line.waiting.lock().pop_front() else { return Poll::Ready(()) };
        let polled = first.as_mut().poll(cx);
        self.begun = Some(first);
        polled
    }
}

#[async_trait]
impl Runtime for OrderedRuntime {
    fn spawn(&self, future: Detached) -> AbortHandle {
        TokioRuntime.spawn(future)
    }

    fn spawn_detached(&self, future: Detached) {
        self.0.waiting.lock().push_back(future);
        tokio::spawn(Begins { line: self.0.clone(), begun: None });
    }

    fn sleep(&self, duration: Duration) -> Detached {
        TokioRuntime.sleep(duration)
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send + 'static>) -> Detached {
        TokioRuntime.spawn_blocking(work)
    }

    fn yield_now(&self) -> Option<Detached> {
        TokioRuntime.yield_now()
    }

    fn yield_frequency(&self) -> u32 {
        TokioRuntime.yield_frequency()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const MANY: usize = 2_000;

    /// What `runtime` begins on four threads, in the order in which it begins.
    async fn beginnings(runtime: impl Runtime) -> Vec<usize> {
        let (begun, mut order) = mpsc::unbounded_channel();
        for number in 0..MANY {
            let begun = begun.clone();
            runtime.spawn_detached(Box::pin(async move {
                let _ = begun.send(number);
                tokio::task::yield_now().await;
            }));
        }
        drop(begun);
        let mut numbers = Vec::with_capacity(MANY);
        while let Some(number) = order.recv().await {
            numbers.push(number);
        }
        numbers
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn detached_tasks_begin_in_the_order_of_spawning() {
        for _ in 0..20 {
            assert_eq!(beginnings(OrderedRuntime::default()).await, (0..MANY).collect::<Vec<_>>());
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_task_that_waits_holds_up_nobody() {
        let runtime = OrderedRuntime::default();
        let (go, may_go) = tokio::sync::oneshot::channel::<()>();
        let (done, is_done) = tokio::sync::oneshot::channel();
        runtime.spawn_detached(Box::pin(async move {
            let _ = may_go.await;
            let _ = done.send(());
        }));
        // The second lets the first go on.
        runtime.spawn_detached(Box::pin(async move {
            let _ = go.send(());
        }));
        is_done.await.expect("the first task ends");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn what_begins_may_spawn_more() {
        let runtime = Arc::new(OrderedRuntime::default());
        let (inner, outer) = (runtime.clone(), runtime);
        let (done, is_done) = tokio::sync::oneshot::channel();
        outer.spawn_detached(Box::pin(async move {
            inner.spawn_detached(Box::pin(async move {
                let _ = done.send(());
            }));
        }));
        is_done.await.expect("the inner task runs");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_that_panics_takes_nobody_with_it() {
        let runtime = OrderedRuntime::default();
        let (done, is_done) = tokio::sync::oneshot::channel();
        runtime.spawn_detached(Box::pin(async { panic!("a fault of the client") }));
        runtime.spawn_detached(Box::pin(async move {
            let _ = done.send(());
        }));
        is_done.await.expect("the second task runs");
    }
}
