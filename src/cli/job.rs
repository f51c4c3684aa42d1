//! Bulk jobs from a terminal, through a running gateway.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::StatusCode;
use serde_json::json;
use wapid_core::job::JobId;

use super::client::{CallError, Client, Connection};
use super::watch::{self, End, Screen};
use crate::config::Config;

/// The API has no stream of a job's news yet.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What a shell makes of a command that Ctrl-C ended: nothing after `&&` runs.
const INTERRUPTED: u8 = 130;
const LISTED: usize = 50;

#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Follow a job until it is over
    ///
    /// On a terminal it draws a bar, elsewhere it prints a line per change. A gateway that restarts
    /// meanwhile is waited for. Ctrl-C ends the watching and leaves the job alone. Exit code: 0 when the job
    /// completed, 1 when it was cancelled or failed or cannot be watched, 130 after Ctrl-C.
    Watch(OneJob),
    /// The newest jobs
    List {
        #[command(flatten)]
        connection: Connection,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Nothing more leaves, until `resume`
    Pause(OneJob),
    /// Let a paused job go on
    Resume(OneJob),
    /// Stop a job for good; those who have not been written to are not
    Cancel(OneJob),
}

#[derive(Debug, Args)]
pub struct OneJob {
    /// The job's id, from `send-bulk` or `wapid job list`
    #[arg(value_parser = job_id)]
    id: JobId,
    #[command(flatten)]
    connection: Connection,
    /// Print JSON: the job as the API tells it; `watch` prints a line per change, the last with `results`
    #[arg(long)]
    json: bool,
}

fn job_id(text: &str) -> Result<JobId, &'static str> {
    JobId::parse(text).ok_or("a job's id is 24 hex digits")
}

pub async fn job(config: &Config, command: JobCommand) -> anyhow::Result<ExitCode> {
    match command {
        JobCommand::Watch(OneJob { id, connection, json }) => {
            return watch(&connection.open(config)?, &id, json).await;
        }
        JobCommand::List { connection, json } => list(&connection.open(config)?, json).await?,
        JobCommand::Pause(job) => steer(config, job, "pause").await?,
        JobCommand::Resume(job) => steer(config, job, "resume").await?,
        JobCommand::Cancel(job) => steer(config, job, "cancel").await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn watch(api: &Client, id: &JobId, json: bool) -> anyhow::Result<ExitCode> {
    let mut screen = if json { Screen::for_programs() } else { Screen::for_people() };
    let ended = tokio::select! {
        ended = watch::watch(api, id, &mut screen, LOOK_EVERY) => ended,
        stopped = tokio::signal::ctrl_c() => {
            stopped?;
            drop(screen);
            if !json {
                println!("Stopped watching; the job goes on. `wapid job pause {id}` would hold it.");
            }
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    match ended.map_err(|problem| explain(problem, id))? {
        End::Completed => Ok(ExitCode::SUCCESS),
        End::Stopped => Ok(ExitCode::FAILURE),
    }
}

async fn steer(config: &Config, job: OneJob, verb: &str) -> anyhow::Result<()> {
    let api = job.connection.open(config)?;
    let path = format!("/api/whatsapp/bulk-job/{}/{verb}", job.id);
    let told = api.post(&path, json!({})).await.map_err(|problem| explain(problem.into(), &job.id))?;
    if job.json {
        println!("{told}");
    } else {
        println!("{}", watch::read(&told)?.row());
    }
    Ok(())
}

async fn list(api: &Client, json: bool) -> anyhow::Result<()> {
    let told = api.get(&format!("/api/whatsapp/bulk-jobs?limit={LISTED}")).await?;
    if json {
        println!("{}", told["jobs"]);
        return Ok(());
    }
    let jobs = told["jobs"].as_array().map(Vec::as_slice).unwrap_or_default();
    if jobs.is_empty() {
        println!("There is no job yet");
    }
    for job in jobs {
        println!("{}", watch::read(job)?.row());
    }
    if told["nextCursor"].is_string() {
        println!("These are the newest {LISTED}; GET /api/whatsapp/bulk-jobs reads on");
    }
    Ok(())
}

/// What the API says to a program, for somebody at a terminal.
fn explain(problem: anyhow::Error, id: &JobId) -> anyhow::Error {
    match problem.downcast_ref() {
        Some(CallError::Refused { code, .. }) if code == "JOB_NOT_FOUND" => anyhow::anyhow!(
            "this key has no job {id}; see `wapid job list` (a test key has the sandbox's jobs, a live key \
             the others)"
        ),
        Some(CallError::Refused { status: StatusCode::UNAUTHORIZED, .. }) => {
            anyhow::anyhow!("the gateway does not take this key; give one with --key or WAPID_KEY")
        }
        _ => problem,
    }
}
