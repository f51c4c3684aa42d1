//! What was read a moment ago, or is being read: whoever asks for the same page meanwhile waits for the one who
//! reads it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;
use wapid_core::clock::At;
use wapid_core::id::TenantId;
use wapid_core::key::Mode;

use super::Shown;

/// How long a page stays as it was read.
const KEPT_MS: i64 = 10 * 60_000;
/// One that could not be had may be had soon: a job goes on without it for so long.
const LACKING_MS: i64 = 60_000;
/// Pages kept at most, of all tenants; some 10 KiB each.
const KEPT_MAX: usize = 1_000;

/// A tenant's own: what others link to is theirs. With a live key fewer URLs may be read.
pub type Key = (TenantId, Mode, String);

/// Filled by whoever comes first; `None` in it: the page cannot be shown.
pub type Cell = OnceCell<Option<Arc<Shown>>>;

#[derive(Default)]
pub struct Kept(Mutex<HashMap<Key, Entry>>);

struct Entry {
    cell: Arc<Cell>,
    since: At,
}

impl Entry {
    fn is_good(&self, now: At) -> bool {
        let life = if matches!(self.cell.get(), Some(None)) { LACKING_MS } else { KEPT_MS };
        now.since(self.since) < life
    }
}

impl Kept {
    /// What is known of a page, or an empty place for it.
    pub fn cell(&self, key: Key, now: At) -> Arc<Cell> {
        let mut kept = self.0.lock();
        if let Some(entry) = kept.get(&key).filter(|entry| entry.is_good(now)) {
            return entry.cell.clone();
        }
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, entry| entry.is_good(now));
        }
        if kept.len() >= KEPT_MAX {
            let oldest = kept.iter().min_by_key(|(_, entry)| entry.since).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                kept.remove(&oldest);
            }
        }
        let cell = Arc::<Cell>::default();
        kept.insert(key, Entry { cell: cell.clone(), since: now });
        cell
    }
}

#[cfg(test)]
mod tests {
    use wapid_core::content::Page;

    use super::*;

    fn key(tenant: &str, url: &str) -> Key {
        (TenantId(tenant.to_owned()), Mode::Test, url.to_owned())
    }

    fn shown() -> Arc<Shown> {
        let page = Page { url: "a".into(), title: "A".into(), description: None };
        Arc::new(Shown { page, thumbnail: None })
    }

    #[test]
    fn a_page_is_kept_for_ten_minutes_and_for_its_tenant_alone() {
        let kept = Kept::default();
        kept.cell(key("shop", "a"), At(0)).set(Some(shown())).unwrap();
        assert!(kept.cell(key("shop", "a"), At(KEPT_MS - 1)).get().is_some());
        assert!(kept.cell(key("other", "a"), At(0)).get().is_none());
        assert!(kept.cell(key("shop", "a"), At(KEPT_MS)).get().is_none());
    }

    #[test]
    fn one_that_could_not_be_had_is_tried_again_after_a_minute() {
        let kept = Kept::default();
        kept.cell(key("shop", "a"), At(0)).set(None).unwrap();
        assert_eq!(kept.cell(key("shop", "a"), At(LACKING_MS - 1)).get(), Some(&None));
        assert_eq!(kept.cell(key("shop", "a"), At(LACKING_MS)).get(), None);
    }

    #[test]
    fn the_oldest_leaves_when_there_are_too_many() {
        let kept = Kept::default();
        for n in 0..=KEPT_MAX {
            let at = At(i64::try_from(n).unwrap());
            kept.cell(key("shop", &n.to_string()), at).set(Some(shown())).unwrap();
        }
        assert_eq!(kept.0.lock().len(), KEPT_MAX);
        let now = At(i64::try_from(KEPT_MAX).unwrap());
        assert!(kept.cell(key("shop", "1"), now).get().is_some());
        assert!(kept.cell(key("shop", "0"), now).get().is_none());
    }

    #[tokio::test]
    async fn whoever_asks_meanwhile_waits_for_the_one_who_reads() {
        let kept = Kept::default();
        let (first, second) = (kept.cell(key("shop", "a"), At(0)), kept.cell(key("shop", "a"), At(1)));
        let read = tokio::join!(
            first.get_or_init(|| async {
                tokio::task::yield_now().await;
                Some(shown())
            }),
            second.get_or_init(|| std::future::ready(None)),
        );
        assert_eq!(*read.1, Some(shown()));
        assert_eq!(read.0, read.1);
    }
}
