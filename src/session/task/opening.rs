//! Opening and closing a session's link, under the lease that lets only one process do it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::{error, warn};
use wapid_core::key::Mode;
use wapid_core::session::{Input, Rest};

use super::{Task, jitter};
use crate::link::{Link, Proxy, ProxyError, Way, Wiring};
use crate::outgoing::Asker;
use crate::session::inbound;

impl Task {
    pub(super) async fn open(&mut self) -> Result<(), Input> {
        let failed = |why| Input::Gone { why, until: None, jitter: jitter() };
        let parts = &self.sessions.0.parts;
        match parts.store.claim(&self.row.key, &parts.owner).await {
            Ok(Some(epoch)) => (self.epoch, self.took_up) = (epoch, false),
            Ok(None) => return Err(failed(Rest::HeldElsewhere)),
            Err(error) => {
                error!(session.key = %self.row.key, "The lease could not be asked for: {error}");
                return Err(failed(Rest::Unreachable));
            }
        }
        // The process that ran it until now may have stopped, ended or removed it.
        match parts.store.session_by_key(&self.row.key).await {
            Ok(Some(row)) if row.wanted || row.removing => {}
            Ok(_) => {
                self.release().await;
                return Err(failed(Rest::HeldElsewhere));
            }
            Err(error) => {
                error!(session.key = %self.row.key, "The session could not be read: {error}");
                self.release().await;
                return Err(failed(Rest::Unreachable));
            }
        }
        let way = match self.way().await {
            Ok(way) => way,
            Err(error) => {
                error!(session.key = %self.row.key, "The session's proxy cannot be used: {error}");
                self.release().await;
                return Err(failed(Rest::ProxyRefused));
            }
        };
        self.link_no += 1;
        let (link_no, signals) = (self.link_no, self.signal_tx.clone());
        let tell = move |signal| {
            // The task outlives its links; if it is gone, nobody needs to know.
            let _ = signals.send((link_no, signal));
        };
        let wiring = Wiring {
            keys: parts.keystores.of(self.row.key.clone()).under(self.epoch),
            way,
            hides: self.hides.clone(),
            device_name: self.row.device_name.clone().unwrap_or_else(|| parts.device_name.clone()),
        };
        let commands = self.sessions.commands_of(&self.row.key);
        let timers = self.sessions.0.timers.clone();
        let commit =
            inbound::commit_into(parts.store.clone(), self.owner.clone(), commands, timers, parts.auto_fetch);
        let recall = inbound::recall_from(parts.store.clone(), self.row.key.clone());
        match Link::open(wiring, tell, commit, recall).await {
            Ok(link) => {
                self.link = Some(Arc::new(link));
                Ok(())
            }
            Err(error) => {
                error!(session.key = %self.row.key, "A link did not open: {error:#}");
                self.release().await;
                Err(failed(Rest::Unreachable))
            }
        }
    }

    pub(super) async fn way(&self) -> Result<Way, ProxyError> {
        let parts = &self.sessions.0.parts;
        Ok(match self.row.mode {
            Mode::Test => {
                let book = self.row.tenant.as_str();
                Way::Sandbox {
                    transport: parts.sandbox.transport(book),
                    http: parts.sandbox.http(book),
                    static_key: parts.sandbox.static_key(),
                }
            }
            Mode::Live => {
                let asker = Asker { tenant: self.row.tenant.clone(), mode: Mode::Live };
                // Never without the proxy that the session is to have, and never through one that leads inside.
                let proxy = self.row.proxy.as_deref();
                let proxy = proxy.map(|text| Proxy::parse(text, &parts.outgoing, asker)).transpose()?;
                if let Some(proxy) = &proxy {
                    proxy.look_up().await?;
                }
                Way::Live { url: parts.whatsapp_url.clone(), proxy }
            }
        })
    }

    pub(super) async fn close(&mut self) {
        (self.code_for, self.code_answer) = (None, None);
        if let Some(link) = self.link.take() {
            link.close().await;
            self.release().await;
        }
    }

    pub(super) async fn release(&self) {
        self.others_may_hear();
        let parts = &self.sessions.0.parts;
        if let Err(error) = parts.store.release(&self.row.key, &parts.owner).await {
            warn!("A lease was not released and will run out: {error}");
        }
    }

    /// Another process may run this session from here on: what is remembered of its chats may be old then.
    pub(super) fn others_may_hear(&self) {
        self.sessions.0.timers.forget(&self.row.key);
        self.knows_groups.store(false, Ordering::Release);
    }
}
