//! Messages whose account is looked for when they are written.
//!
//! Nearly every message has its account's address when it is accepted. Those of a job that does not check its
//! numbers have not, nor what an earlier process left; they may turn out here to be for somebody who is called
//! otherwise, and are given that address before they leave.

use wapid_core::people::Who;
use wapid_core::phone::Recipient;
use wapid_core::store::StoreError;
use wapid_core::store::ledger::Owner;

use super::{NoAddress, OPTED_OUT, SAME_ACCOUNT, Urgency, recipient};
use crate::link::{Link, SendFailure};
use crate::session::Sessions;
use crate::session::outbox::{NotWritten, Outgoing};

impl Sessions {
    /// Puts the address of the account on a message to a number.
    ///
    /// # Errors
    /// [`NotWritten`]; it is [`NotWritten::Unwanted`] where the account has opted out of a job, or has the
    /// job's message already.
    pub(in crate::session) async fn readdress(
        &self,
        owner: &Owner,
        outgoing: &mut Outgoing,
        link: &Link,
    ) -> Result<(), NotWritten> {
        let Recipient::Person(phone) = &outgoing.to else { return Ok(()) };
        let who = match self.known_account(&owner.tenant, owner.mode, phone) {
            Some(who) => who,
            // The client knows the LIDs of those it has met. Of a number with two spellings it may have
            // learned one for the wrong of them.
            None if phone.spellings().len() == 1 && link.knows(phone).await => return Ok(()),
            None => {
                let urgency = if outgoing.job.is_some() { Urgency::Job } else { Urgency::Send };
                self.address_of(owner, phone, urgency).await.map_err(|why| match why {
                    NoAddress::NotReady(_) => SendFailure::Lost,
                    NoAddress::NotOnWhatsApp => SendFailure::NotOnWhatsApp,
                    NoAddress::Unasked { .. } => {
                        SendFailure::Internal("the number was not looked up".to_owned())
                    }
                })?
            }
        };
        link.introduce(&who).await;
        let Some(to) = recipient(&who).filter(|to| *to != outgoing.to) else { return Ok(()) };
        self.check_wanted(owner, outgoing, &who).await?;
        let readdressed = self.store().readdress(&owner.tenant, owner.mode, &outgoing.key, &to).await;
        readdressed.map_err(database_away)?;
        outgoing.to = to;
        Ok(())
    }

    async fn check_wanted(&self, owner: &Owner, outgoing: &Outgoing, who: &Who) -> Result<(), NotWritten> {
        let Some((job, seq)) = &outgoing.job else { return Ok(()) };
        let store = self.store();
        let tenant = store.tenant(owner.tenant.clone(), owner.mode);
        if tenant.has_opted_out(who).await.map_err(database_away)? {
            return Err(NotWritten::Unwanted { code: OPTED_OUT.0, error: OPTED_OUT.1 });
        }
        let Some(account) = &who.phone else { return Ok(()) };
        let reached = store.has_reached(&owner.tenant, owner.mode, (job, *seq), account).await;
        if reached.map_err(database_away)? {
            return Err(NotWritten::Unwanted { code: SAME_ACCOUNT.0, error: SAME_ACCOUNT.1 });
        }
        Ok(())
    }
}

fn database_away(error: StoreError) -> SendFailure {
    SendFailure::Internal(error.to_string())
}
