//! What a link tells, and what the session asks of WhatsApp once it is up.

use std::sync::atomic::Ordering;

use tracing::error;
use wapid_core::clock::At;
use wapid_core::people::News;
use wapid_core::session::{End, Input, Offer, Rest, State};
use wapid_core::store::ledger::ReceiptNews;

use super::{Task, jitter};
use crate::link::Signal;
use crate::link::groups::{GroupNews, Setting, What};
use crate::session::{CodeRefusal, Parts, groups};

impl Task {
    /// A closed link cannot speak of the session, and one that was turned away of nothing.
    pub(super) fn is_heard(&self, link_no: u64, signal: &Signal) -> bool {
        let is_open = link_no == self.link_no && self.link.is_some();
        self.turned_away != Some(link_no) && (signal.lasts() || is_open)
    }

    /// WhatsApp tells these things once, and this process will not ask again.
    pub(super) async fn hear_the_rest(&mut self) {
        while let Ok((link_no, signal)) = self.signals.try_recv() {
            if signal.lasts() && self.is_heard(link_no, &signal) {
                self.hear(signal).await;
            }
        }
    }

    pub(super) async fn hear(&mut self, signal: Signal) {
        let now = self.sessions.now();
        match signal {
            Signal::Qr { secret, lives_ms } => {
                let offer = Offer { secret, expires_at: now.plus_ms(lives_ms) };
                self.step(Input::OfferedQr(offer)).await;
                self.ask_for_code();
            }
            Signal::Code { secret, lives_ms } => {
                if let Some(answer) = self.code_answer.take() {
                    let _ = answer.send(Ok(secret.clone()));
                }
                let offer = Offer { secret, expires_at: now.plus_ms(lives_ms) };
                self.step(Input::OfferedCode(offer)).await;
            }
            Signal::CodeRefused(why) => {
                if let Some(answer) = self.code_answer.take() {
                    let _ = answer.send(Err(CodeRefusal::Refused(why)));
                }
            }
            Signal::Passkey(request) => self.step(Input::PasskeyAsked(request)).await,
            Signal::Linked(account) => self.linked(account).await,
            Signal::Up => {
                self.learn_timers().await;
                self.step(Input::Up).await;
                self.recover().await;
                self.learn_groups();
                self.sessions.poke_jobs(&self.row.key);
                self.fetch_files();
                self.ask_for_blocks();
            }
            Signal::Down => self.step(Input::Down).await,
            Signal::Gone { why, lasts_ms } => {
                let until = lasts_ms.map(|ms| now.plus_ms(ms));
                self.step(Input::Gone { why, until, jitter: jitter() }).await;
            }
            Signal::Over(end) => {
                let over = self.over(end).await;
                self.step(over).await;
            }
            Signal::Receipt { by, wa_ids, status, at_ms } => {
                let news = ReceiptNews { owner: self.owner.clone(), by, wa_ids, status, at: At(at_ms) };
                self.sessions.0.receipts.note(news);
            }
            Signal::People(news) => {
                self.sessions.0.timers.hear(&self.row.key, &news);
                self.sessions.0.heard.note(&self.owner, news);
            }
            Signal::Group(news) => self.hear_of_group(news),
        }
    }

    /// What the end of a link means. Of a session that another process runs by now it is not the end: WhatsApp has
    /// replaced a connection that was frozen by that process's. Where the database cannot say, the link is tried
    /// again, and told again if it is over.
    pub(super) async fn over(&self, end: End) -> Input {
        let Parts { store, owner, .. } = &self.sessions.0.parts;
        let why = match store.holds_lease(&self.row.key, owner, self.epoch).await {
            Ok(true) => return Input::Over(end),
            Ok(false) => Rest::HeldElsewhere,
            Err(error) => {
                error!(session.key = %self.row.key, "The lease could not be looked at: {error}");
                Rest::Unreachable
            }
        };
        Input::Gone { why, until: None, jitter: jitter() }
    }

    /// Before the first message leaves. Without them it would stay where others disappear.
    pub(super) async fn learn_timers(&self) {
        self.written().await;
        let tenant = self.sessions.store().tenant(self.owner.tenant.clone(), self.owner.mode);
        match tenant.disappearing(&self.row.key).await {
            Ok(known) => self.sessions.0.timers.load(&self.row.key, known.into_iter()),
            Err(error) => {
                error!(session.key = %self.row.key, "Timers of chats were not read: {error}");
            }
        }
    }

    /// Once per number and process; what changes later WhatsApp tells.
    pub(super) fn learn_groups(&self) {
        if let (State::Ready { .. }, Some(link)) = (&self.state, &self.link)
            && !self.knows_groups.load(Ordering::Acquire)
        {
            let (store, session) = (self.sessions.store().clone(), self.row.key.clone());
            let timers = self.sessions.0.timers.clone();
            let (link, knows_groups) = (link.clone(), self.knows_groups.clone());
            tokio::spawn(async move {
                let known = groups::learn(&store, &session, &link, &timers).await;
                knows_groups.fetch_or(known, Ordering::AcqRel);
            });
        }
    }

    pub(super) fn hear_of_group(&self, news: GroupNews) {
        let own = self.state.account().map(groups::person).unwrap_or_default();
        if let (What::Came { .. }, Some(link)) = (&news.what, self.link.clone()) {
            let jid = news.jid.clone();
            // What fails is asked again with the next message to that group.
            tokio::spawn(async move { link.relearn_group(&jid).await });
        }
        if let What::Changed(Setting::EphemeralSeconds(seconds))
        | What::Came { ephemeral_seconds: seconds, .. } = &news.what
        {
            let news = vec![News::Disappears { who: None, chat: news.jid.clone(), seconds: *seconds }];
            self.sessions.0.timers.hear(&self.row.key, &news);
            self.sessions.0.heard.note(&self.owner, news);
        }
        self.sessions.0.heard.note_group(groups::written(&self.row.key, groups::told(&own, news)));
    }

    /// So that the first send need not wait for the answer.
    pub(super) fn ask_for_blocks(&self) {
        if let Some(link) = self.link.clone() {
            tokio::spawn(async move { link.block_list().await });
        }
    }

    /// A code can be asked for once the socket is up, which the first QR shows.
    pub(super) fn ask_for_code(&mut self) {
        let State::Linking { offers, .. } = &self.state else { return };
        if offers.qr.is_none() {
            return;
        }
        if let (Some(link), Some(phone)) = (self.link.clone(), self.code_for.take()) {
            // Apart from this task, which must stay able to stop. What comes of it comes as a signal.
            tokio::spawn(async move { link.request_code(&phone).await });
        }
    }
}
