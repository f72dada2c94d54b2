//! The sheet: what was played, what was expected of it, and what came.

use std::future::Future;
use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::table::progress;

/// One line of the play.
#[derive(Debug, Clone)]
pub struct Line {
    /// Whose story it belongs to: a channel, or the day.
    pub part: &'static str,
    /// Which chapter of that story.
    pub chapter: &'static str,
    /// What was done.
    pub what: String,
    /// What should have come of it.
    pub expected: String,
    /// What came of it.
    pub came: String,
    /// What else is worth knowing; never decides anything.
    pub note: String,
    /// How long it took.
    pub took: Duration,
}

impl Line {
    /// Whether what came is what was expected, to the letter.
    pub fn is_ok(&self) -> bool {
        self.came == self.expected
    }
}

/// What came of a step: its words, which are compared with those expected; a note, which is only shown; and what later
/// steps need.
#[derive(Debug)]
pub(super) struct Came<T = ()> {
    words: String,
    note: String,
    value: T,
}

impl Came {
    /// These words.
    pub(super) fn words(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            note: String::new(),
            value: (),
        }
    }
}

impl<T> Came<T> {
    /// With a note.
    pub(super) fn note(self, note: impl Into<String>) -> Self {
        Self {
            note: note.into(),
            ..self
        }
    }

    /// With something that later steps need.
    pub(super) fn with<V>(self, value: V) -> Came<V> {
        Came {
            words: self.words,
            note: self.note,
            value,
        }
    }
}

/// A step went otherwise, so that what follows from it cannot be played.
#[derive(Debug)]
pub(super) struct Stopped;

/// All lines so far. Each is told as soon as it is there.
pub struct Sheet {
    part: &'static str,
    chapter: &'static str,
    lines: Vec<Line>,
    began: Instant,
    tell: fn(&str),
}

impl Sheet {
    /// An empty sheet, whose lines are told as they come.
    pub(super) fn new(tell: fn(&str)) -> Self {
        Self {
            part: "",
            chapter: "",
            lines: Vec::new(),
            began: Instant::now(),
            tell,
        }
    }

    /// Lines from here on belong to this story.
    pub(super) fn begin(&mut self, part: &'static str) {
        (self.part, self.chapter) = (part, "");
    }

    /// Lines from here on belong to this chapter.
    pub(super) fn chapter(&mut self, chapter: &'static str) {
        self.chapter = chapter;
    }

    /// Plays a step that later ones stand on.
    ///
    /// # Errors
    /// [`Stopped`] when something else came than was expected.
    pub(super) async fn play<T>(
        &mut self,
        what: impl Into<String>,
        expected: impl Into<String>,
        step: impl Future<Output = Result<Came<T>>>,
    ) -> Result<T, Stopped> {
        let began = Instant::now();
        let (words, note, value) = match step.await {
            Ok(came) => (came.words, came.note, Some(came.value)),
            Err(error) => (format!("{error:#}"), String::new(), None),
        };
        let line = Line {
            part: self.part,
            chapter: self.chapter,
            what: what.into(),
            expected: expected.into(),
            came: words,
            note,
            took: began.elapsed(),
        };
        (self.tell)(&progress(&line));
        let value = value.filter(|_| line.is_ok());
        self.lines.push(line);
        value.ok_or(Stopped)
    }

    /// Plays a step on which nothing stands: the story goes on whatever comes of it.
    pub(super) async fn check(
        &mut self,
        what: impl Into<String>,
        expected: impl Into<String>,
        step: impl Future<Output = Result<Came>>,
    ) {
        // The line is on the sheet; that is all there is to do about it.
        let _ = self.play(what, expected, step).await;
    }

    /// What was not played to its end is a failure of its own, so that no line is missed silently.
    pub(super) async fn end(&mut self, ended: Result<(), Stopped>) {
        if ended.is_err() {
            let not_played = async { Ok(Came::words("not played")) };
            let what = format!("the rest, from: {}", self.chapter);
            self.check(what, "played", not_played).await;
        }
    }

    /// The lines, in the order in which they were played.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// How many lines went otherwise than expected.
    pub fn failed(&self) -> usize {
        self.lines.iter().filter(|line| !line.is_ok()).count()
    }

    /// How long the play has lasted so far.
    pub fn lasted(&self) -> Duration {
        self.began.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[tokio::test]
    async fn a_line_is_ok_only_when_the_expected_came_to_the_letter() {
        let mut sheet = Sheet::new(|_| {});
        sheet.begin("wechat");
        let paid = sheet.play("pay", "PAID 6.00", async {
            Ok(Came::words("PAID 6.00").note("12 ms").with(7))
        });
        assert_eq!(paid.await.unwrap(), 7);
        assert_eq!(sheet.failed(), 0);
        let other = sheet.play("pay", "PAID 6.00", async { Ok(Came::words("PAID 6.01").with(7)) });
        assert!(other.await.is_err(), "what went otherwise gives nothing to go on with");
        sheet.check("pay", "PAID 6.00", async { bail!("PAID") }).await;
        assert_eq!((sheet.failed(), sheet.lines().len()), (2, 3));
        assert_eq!(sheet.lines()[2].came, "PAID");
        assert!(sheet.lines().iter().all(|line| line.part == "wechat"));
    }

    #[tokio::test]
    async fn a_chapter_that_breaks_off_is_a_failure_of_its_own() {
        let mut sheet = Sheet::new(|_| {});
        sheet.chapter("reverse");
        sheet.end(Ok(())).await;
        assert!(sheet.lines().is_empty());
        sheet.end(Err(Stopped)).await;
        assert_eq!((sheet.failed(), sheet.lines().len()), (1, 1));
        assert_eq!(sheet.lines()[0].what, "the rest, from: reverse");
    }
}
