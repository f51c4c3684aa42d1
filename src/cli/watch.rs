//! Follows one job until it is over.
//!
//! Looks about once a second and shows what changed: as a bar on a terminal, as plain lines elsewhere, as
//! JSON for programs. A gateway that goes away meanwhile is waited for; one that refuses (the key, the
//! job) ends the watch. Watching changes nothing: whoever drops it leaves the job as it is.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::tz::TimeZone;
use serde::Deserialize as _;
use serde_json::{Value, json};
use wapid_core::clock::Clock;
use wapid_core::job::JobId;

use super::client::Client;
use super::progress::{Pace, Progress};

/// A gateway that takes longer than this for one job is as good as away.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Completed,
    /// Cancelled, or failed as a whole.
    Stopped,
}

/// Shows a job until it is over, with `pause` between two looks.
///
/// # Errors
/// When the first question is not answered, or any is refused.
pub async fn watch(api: &Client, id: &JobId, screen: &mut Screen, pause: Duration) -> anyhow::Result<End> {
    let path = format!("/api/whatsapp/bulk-job/{id}");
    // A gateway that never answered is a wrong address rather than one that is away.
    let mut told = api.get(&path).await?;
    loop {
        let job = read(&told)?;
        if job.is_over() {
            let results = ask(api, &format!("{path}/results"), screen, pause).await?;
            screen.end(&told, &job, &results)?;
            return Ok(if job.is_completed() { End::Completed } else { End::Stopped });
        }
        screen.show(&told, &job)?;
        tokio::time::sleep(pause).await;
        told = ask(api, &path, screen, pause).await?;
    }
}

/// A job in an answer of the API.
pub fn read(told: &Value) -> anyhow::Result<Progress> {
    Progress::deserialize(told)
        .map_err(|problem| anyhow::anyhow!("the gateway's answer is no job: {problem}"))
}

/// The answer, however long the gateway is away.
async fn ask(api: &Client, path: &str, screen: &mut Screen, pause: Duration) -> anyhow::Result<Value> {
    loop {
        let why = match tokio::time::timeout(PATIENCE, api.get(path)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(problem)) if problem.is_away() => problem.to_string(),
            Ok(Err(problem)) => return Err(problem.into()),
            Err(_) => format!("{} does not answer", api.url()),
        };
        screen.away(&why)?;
        tokio::time::sleep(pause).await;
    }
}

/// Where a job is shown, and what of it is there already.
pub struct Screen {
    form: Form,
    clock: Clock,
    zone: TimeZone,
    pace: Pace,
    shown: Option<Shown>,
}

enum Form {
    Bar(ProgressBar),
    Lines,
    Json,
}

#[derive(PartialEq)]
enum Shown {
    Job(Value),
    Away,
}

impl Screen {
    /// A bar on a terminal that can draw one, plain lines elsewhere.
    pub fn for_people() -> Self {
        if ProgressDrawTarget::stdout().is_hidden() {
            return Self::of(Form::Lines);
        }
        // Unseen until there is something to show: a refusal shows no empty bar.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
            .with_style(style(BAR_AND_STANDING));
        Self::of(Form::Bar(bar))
    }

    /// One JSON object per change: the job as the API tells it. The last one has its `results`.
    pub fn for_programs() -> Self {
        Self::of(Form::Json)
    }

    fn of(form: Form) -> Self {
        let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
        Self { form, clock: Clock::System, zone, pace: Pace::default(), shown: None }
    }

    fn show(&mut self, told: &Value, job: &Progress) -> anyhow::Result<()> {
        let now = self.clock.now();
        let rate = self.pace.look(job, now);
        let is_first = self.shown.is_none();
        let is_news = self.is_news(told);
        match &self.form {
            Form::Bar(bar) => {
                if is_first {
                    say(&job.title())?;
                    bar.set_draw_target(ProgressDrawTarget::stdout());
                }
                draw(bar, job);
                bar.set_message(job.standing(rate, now, &self.zone));
                bar.force_draw();
                Ok(())
            }
            Form::Lines if is_news => {
                say(&format!("{}; {}", job.sums(), job.standing(rate, now, &self.zone)))
            }
            Form::Json if is_news => say(&told.to_string()),
            Form::Lines | Form::Json => Ok(()),
        }
    }

    /// Takes it in as shown. The estimate moves with every look and is no news.
    fn is_news(&mut self, told: &Value) -> bool {
        let mut told = told.clone();
        if let Some(fields) = told.as_object_mut() {
            fields.remove("estimatedEndAt");
        }
        let new = Some(Shown::Job(told));
        let is_news = new != self.shown;
        self.shown = new;
        is_news
    }

    fn away(&mut self, why: &str) -> anyhow::Result<()> {
        // How long it was away is not the job's pace.
        self.pace = Pace::default();
        if self.shown.replace(Shown::Away) == Some(Shown::Away) {
            return Ok(());
        }
        match &self.form {
            Form::Bar(bar) => {
                bar.set_message(format!("{why}; still watching"));
                bar.force_draw();
                Ok(())
            }
            Form::Lines => say(&format!("{why}; still watching")),
            Form::Json => say(&json!({"away": why}).to_string()),
        }
    }

    fn end(&self, told: &Value, job: &Progress, results: &Value) -> anyhow::Result<()> {
        match &self.form {
            Form::Json => {
                let mut told = told.clone();
                told["results"] = results.clone();
                return say(&told.to_string());
            }
            Form::Bar(bar) => {
                draw(bar, job);
                bar.set_style(style(BAR));
                bar.abandon();
            }
            Form::Lines => {}
        }
        for reason in results["reasons"].as_array().into_iter().flatten() {
            let code = reason["code"].as_str().unwrap_or_default();
            say(&format!("{:>6}  {code}", reason["count"].as_i64().unwrap_or_default()))?;
        }
        say(&job.summary())
    }
}

impl Drop for Screen {
    /// Leaves the bar where it is. Drawn once more it would be in the wrong place: the `^C` that the terminal
    /// wrote has moved the cursor.
    fn drop(&mut self) {
        if let Form::Bar(bar) = &self.form
            && self.shown.is_some()
            && !bar.is_finished()
        {
            bar.set_draw_target(ProgressDrawTarget::hidden());
            let _ = say("");
        }
    }
}

/// Of a job that is over nothing more is to be told than this.
const BAR: &str = "{bar:30.green} {prefix}";
const BAR_AND_STANDING: &str = "{bar:30.green} {prefix}\n{wide_msg}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("both templates name what indicatif knows, as a test sees")
        .progress_chars("█▉▊▋▌▍▎▏░")
}

fn draw(bar: &ProgressBar, job: &Progress) {
    bar.set_length(u64::try_from(job.total).unwrap_or(0));
    bar.set_position(u64::try_from(job.processed).unwrap_or(0));
    bar.set_prefix(job.sums());
}

/// Unlike `println!`, no panic where the reader has gone: `wapid job watch … | head -1`.
fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_can_be_drawn() {
        style(BAR);
        style(BAR_AND_STANDING);
    }

    #[test]
    fn what_moves_with_every_look_is_no_news() {
        let mut screen = Screen::for_programs();
        let told = |processed: i64, end: &str| json!({"processed": processed, "estimatedEndAt": end});
        assert!(screen.is_news(&told(1, "10:00")));
        assert!(!screen.is_news(&told(1, "10:01")));
        assert!(screen.is_news(&told(2, "10:01")));
        // After an absence the same is news: the gateway is back.
        screen.away("nobody").unwrap();
        assert!(screen.is_news(&told(2, "10:01")));
    }
}
