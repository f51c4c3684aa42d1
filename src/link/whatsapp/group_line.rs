//! News of groups, told in the order of the wire and each once.
//!
//! whatsapp-rust 0.7.0 handles every notification in a task of its own and awaits locks and lookups before it
//! tells of it as `GroupUpdate`, so its telling is in no order. The raw nodes are (see `runtime`), so the news
//! are read from them. A piece of news still waits until the client is done with its notification: whoever
//! answers an event by writing to the group must not be served by what the client knew before. The client says so
//! by handing on the very same node as `Notification`; one that it does not finish is told after [`PATIENCE`].

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wacore::stanza::groups::GroupNotification;
use wacore_binary::{NodeRef, OwnedNodeRef};

use crate::link::groups::{GroupNews, news_of};

/// How long the client gets for one notification.
const PATIENCE: Duration = Duration::from_secs(10);
/// WhatsApp sends again what it was not told to have arrived; so many notifications are known again.
const KNOWN_MAX: usize = 512;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct GroupLine {
    shared: Arc<Shared>,
    patience: Duration,
    overdue: mpsc::UnboundedSender<(Instant, Arc<OwnedNodeRef>)>,
}

struct Shared {
    line: Mutex<Line>,
    tell: Box<dyn Fn(GroupNews) + Send + Sync>,
}

#[derive(Default)]
struct Line {
    held: VecDeque<Held>,
    /// Group, id and time of what was taken in, the newest last.
    known: VecDeque<[String; 3]>,
}

struct Held {
    node: Arc<OwnedNodeRef>,
    news: Vec<GroupNews>,
    is_done: bool,
}

impl GroupLine {
    /// Its task ends with it.
    pub(super) fn start(tell: impl Fn(GroupNews) + Send + Sync + 'static) -> Self {
        Self::with_patience(PATIENCE, tell)
    }

    fn with_patience(patience: Duration, tell: impl Fn(GroupNews) + Send + Sync + 'static) -> Self {
        let (overdue, mut due) = mpsc::unbounded_channel::<(Instant, Arc<OwnedNodeRef>)>();
        let shared = Arc::new(Shared { line: Mutex::default(), tell: Box::new(tell) });
        let weak: Weak<Shared> = Arc::downgrade(&shared);
        tokio::spawn(async move {
            while let Some((at, node)) = due.recv().await {
                tokio::time::sleep_until(at).await;
                let Some(shared) = weak.upgrade() else { return };
                shared.finish(|held| Arc::ptr_eq(&held.node, &node));
            }
        });
        Self { shared, patience, overdue }
    }

    /// A raw node, in the order of the wire.
    pub(super) fn note(&self, node: &Arc<OwnedNodeRef>) {
        if !is_of_group(node.get()) {
            return;
        }
        let Some(notification) = GroupNotification::try_from_node_ref(node.get()) else { return };
        let mark = notification.notification_id.is_some().then(|| mark_of(node.get()));
        let news = news_of(notification);
        if news.is_empty() {
            return;
        }
        let mut line = self.shared.line.lock();
        if let Some(mark) = mark {
            if line.known.contains(&mark) {
                return;
            }
            if line.known.len() == KNOWN_MAX {
                line.known.pop_front();
            }
            line.known.push_back(mark);
        }
        line.held.push_back(Held { node: node.clone(), news, is_done: false });
        drop(line);
        // In the order of the line, for all wait equally long.
        let _ = self.overdue.send((Instant::now() + self.patience, node.clone()));
    }

    /// The client has done what it does about this node.
    pub(super) fn client_is_done_with(&self, node: &Arc<OwnedNodeRef>) {
        self.shared.finish(|held| Arc::ptr_eq(&held.node, node));
    }

    /// Tells everything that waits: nobody is there to wait for any more.
    pub(super) fn flush(&self) {
        self.shared.finish(|_| true);
    }
}

impl Shared {
    /// Tells what is at the head of the line and done. Under the lock, so that two tellers keep the order.
    fn finish(&self, is_done: impl Fn(&Held) -> bool) {
        let mut line = self.line.lock();
        for held in line.held.iter_mut().filter(|held| is_done(held)) {
            held.is_done = true;
        }
        while line.held.front().is_some_and(|held| held.is_done) {
            let news = line.held.pop_front().map(|held| held.news);
            news.into_iter().flatten().for_each(&self.tell);
        }
    }
}

fn is_of_group(node: &NodeRef<'_>) -> bool {
    node.tag == "notification" && node.get_attr("type").is_some_and(|kind| kind.as_str() == "w:gp2")
}

fn mark_of(node: &NodeRef<'_>) -> [String; 3] {
    ["from", "id", "t"]
        .map(|name| node.get_attr(name).map(|value| value.as_str().into_owned()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use wacore_binary::Node;
    use wacore_binary::builder::NodeBuilder;

    use super::*;
    use crate::link::groups::{Setting, What};

    type Told = Arc<Mutex<Vec<String>>>;

    fn line() -> (GroupLine, Told) {
        line_with(PATIENCE)
    }

    fn line_with(patience: Duration) -> (GroupLine, Told) {
        let told = Told::default();
        let heard = told.clone();
        let line = GroupLine::with_patience(patience, move |news| {
            if let What::Changed(Setting::Subject(subject)) = news.what {
                heard.lock().push(subject);
            }
        });
        (line, told)
    }

    fn stanza(id: &str, subjects: &[&str]) -> Arc<OwnedNodeRef> {
        let subjects = subjects.iter().map(|text| NodeBuilder::new("subject").attr("subject", *text).build());
        received(
            &NodeBuilder::new("notification")
                .attr("type", "w:gp2")
                .attr("from", "120363000000000001@g.us")
                .attr("id", id)
                .attr("t", "1700000000")
                .children(subjects)
                .build(),
        )
    }

    fn received(node: &Node) -> Arc<OwnedNodeRef> {
        let bytes = wacore_binary::marshal::marshal(node).expect("a node");
        // The first byte says whether the rest is compressed.
        Arc::new(OwnedNodeRef::new(bytes[1..].to_vec()).expect("the same node"))
    }

    #[tokio::test]
    async fn news_are_told_in_the_order_of_the_wire_whatever_the_client_does_first() {
        let (line, told) = line();
        let nodes = [stanza("1", &["a", "b"]), stanza("2", &["c"]), stanza("3", &["d"])];
        nodes.iter().for_each(|node| line.note(node));
        line.client_is_done_with(&nodes[2]);
        line.client_is_done_with(&nodes[1]);
        assert!(told.lock().is_empty());
        line.client_is_done_with(&nodes[0]);
        assert_eq!(*told.lock(), ["a", "b", "c", "d"]);
    }

    #[tokio::test]
    async fn one_that_the_client_never_finishes_is_told_in_its_place() {
        let (line, told) = line_with(Duration::from_millis(50));
        let nodes = [stanza("1", &["a"]), stanza("2", &["b"])];
        nodes.iter().for_each(|node| line.note(node));
        line.client_is_done_with(&nodes[1]);
        assert!(told.lock().is_empty());
        let given_up = async {
            while told.lock().len() < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), given_up).await.expect("it is told after all");
        assert_eq!(*told.lock(), ["a", "b"]);
    }

    #[tokio::test]
    async fn one_that_comes_again_is_told_once() {
        let (line, told) = line();
        let (first, again) = (stanza("1", &["a"]), stanza("1", &["a"]));
        for node in [&first, &again, &stanza("2", &["b"])] {
            line.note(node);
            line.client_is_done_with(node);
        }
        assert_eq!(*told.lock(), ["a", "b"]);
    }

    #[tokio::test]
    async fn a_link_that_closes_tells_what_waits() {
        let (line, told) = line();
        line.note(&stanza("1", &["a"]));
        line.flush();
        assert_eq!(*told.lock(), ["a"]);
    }

    #[tokio::test]
    async fn other_stanzas_are_no_news_of_groups() {
        let (line, told) = line();
        for (tag, kind) in [("notification", "account_sync"), ("message", "w:gp2")] {
            let node = NodeBuilder::new(tag).attr("type", kind).attr("from", "120363000000000001@g.us");
            line.note(&received(&node.children([NodeBuilder::new("locked").build()]).build()));
        }
        line.flush();
        assert!(told.lock().is_empty());
    }
}
