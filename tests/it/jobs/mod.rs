//! Bulk jobs: everybody gets it once, at the pace and in the hours that were asked for, whatever happens.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{Answer, Caller, Session, Tenant, until_reads};

mod contract;
mod crash_points;
mod files;
mod hold;
pub mod kill;
pub mod lists;
mod pace;
mod queue;
mod respect;
mod steer;
mod words;

/// Generous: a kill in the middle costs seconds, and the machine is busy.
const JOB_DEADLINE: Duration = Duration::from_secs(120);
/// The same for a job of a real size.
const CAMPAIGN_DEADLINE: Duration = Duration::from_secs(3_600);

/// The sizes of a real campaign are wanted, however long they take.
pub fn is_full() -> bool {
    std::env::var_os("WAPID_TEST_FULL").is_some()
}

/// How much is done in `./test`, and in full.
pub fn size(bounded: usize, full: usize) -> usize {
    if is_full() { full } else { bounded }
}

pub fn ms(count: i64) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}

/// A job as its owner sees it.
pub struct Job<'a> {
    pub caller: &'a Caller,
    pub id: String,
}

impl Job<'_> {
    pub fn path(&self, tail: &str) -> String {
        format!("/api/whatsapp/bulk-job/{}{tail}", self.id)
    }

    pub async fn read(&self) -> Value {
        self.caller.get(&self.path("")).await.ok()
    }

    pub async fn post(&self, tail: &str) -> Answer {
        self.caller.post(&self.path(tail), json!({})).await
    }

    pub async fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = if is_full() { CAMPAIGN_DEADLINE } else { JOB_DEADLINE };
        until_reads(deadline, &format!("the job is {what}"), || self.read(), is).await
    }

    pub async fn until_completed(&self) -> Value {
        self.until("completed", |job| job["status"] == "completed").await
    }

    pub async fn until_waiting(&self, reason: &str) -> Value {
        self.until(&format!("waiting: {reason}"), |job| job["waiting"]["reason"] == reason).await
    }

    /// And its message says this.
    pub async fn until_waiting_as(&self, reason: &str, words: &str) -> Value {
        self.until(&format!("waiting: {reason}, {words}"), |job| {
            let waiting = &job["waiting"];
            waiting["reason"] == reason
                && waiting["message"].as_str().is_some_and(|text| text.contains(words))
        })
        .await
    }

    pub async fn until_processed(&self, count: i64) -> Value {
        self.until(&format!("at {count}"), |job| job["processed"].as_i64() >= Some(count)).await
    }

    pub async fn recipients(&self, query: &str) -> Vec<Value> {
        let answer = self.caller.get(&self.path(&format!("/recipients?limit=1000{query}"))).await.ok();
        answer["recipients"].as_array().expect("recipients").clone()
    }
}

impl<'a> Session<'a> {
    pub async fn bulk(&self, body: Value) -> Job<'a> {
        let made = self.caller.post(&self.path("/send-bulk"), body).await.ok();
        Job { caller: self.caller, id: made["jobId"].as_str().expect("a jobId").to_owned() }
    }

    /// To all of these, without pauses.
    pub async fn quick(&self, phones: &[String], message: &str) -> Job<'a> {
        let body = json!({"recipients": phones, "message": message, "delayMin": 0, "delayMax": 0});
        self.bulk(body).await
    }
}

/// Puts so many phones on the sandbox: 5511800000000 and on.
pub async fn crowd(tenant: &Tenant, count: usize) -> Vec<String> {
    crowd_of(&tenant.test, count).await
}

pub async fn crowd_of(caller: &Caller, count: usize) -> Vec<String> {
    let phones: Vec<String> = (0..count).map(|n| format!("55118{n:08}")).collect();
    for chunk in phones.chunks(32) {
        futures::future::join_all(chunk.iter().map(|phone| async move {
            caller.post("/api/sandbox/phones", json!({"phone": phone, "name": "Somebody"})).await.ok();
        }))
        .await;
    }
    phones
}

/// What each phone shows: its messages, oldest first.
pub async fn shown(caller: &Caller, phone: &str) -> Vec<String> {
    let inbox = caller.get(&format!("/api/sandbox/phones/{phone}/messages")).await.ok();
    let messages = inbox["messages"].as_array().expect("messages");
    messages.iter().map(|message| message["message"].as_str().expect("text").to_owned()).collect()
}

/// Asserts that every phone shows this once and nothing else; answers how many copies phones dropped.
pub async fn each_got_it_once(caller: &Caller, phones: &[String], text: &str) -> i64 {
    let mut dropped = 0;
    for phone in phones {
        let inbox = caller.get(&format!("/api/sandbox/phones/{phone}/messages")).await.ok();
        let messages: Vec<&str> = inbox["messages"]
            .as_array()
            .expect("messages")
            .iter()
            .map(|message| message["message"].as_str().expect("text"))
            .collect();
        assert_eq!(messages, [text], "{phone}");
        dropped += inbox["redelivered"].as_i64().expect("a number");
    }
    dropped
}
