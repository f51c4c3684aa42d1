//! Which variant each recipient of a job gets.

use sha2::{Digest, Sha256};
use wapid_core::content::Words;
use wapid_core::job::{Plan, Variant};
use wapid_core::phone::Phone;

/// Which variant each recipient gets: the same in a preview as in the job, and the same when it is made again.
pub struct Lots<'a> {
    plan: &'a Plan,
    texts: Sha256,
}

impl<'a> Lots<'a> {
    pub fn of(plan: &'a Plan) -> Self {
        // Without what is drawn anew when the job is made again: its file's id.
        let mut texts = Sha256::new();
        for Variant { label, content, weight } in &plan.variants {
            let words = content.body.words().map_or_else(|| content.body.text(), Words::rendered);
            texts.update(format!("{label}\0{weight}\0{words}\0"));
        }
        Self { plan, texts }
    }

    pub fn variant(&self, phone: &Phone) -> usize {
        if self.plan.variants.len() < 2 {
            return 0;
        }
        let hash = self.texts.clone().chain_update(phone.digits()).finalize();
        let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        self.plan.variant(u32::try_from(number % 1_000_000).expect("a million fits"))
    }
}
