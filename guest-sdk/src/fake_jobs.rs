//! The jobs that a [`Fake`](crate::testing::Fake)'s task submits: each has ended as soon as it
//! is submitted, with the result that a function gives.

use crate::jobs::{JobError, JobState, JobStatus};
use std::collections::BTreeMap;

/// Stands for jobs: from a definition and its parameters to a result, or why it failed.
type StandIn = dyn FnMut(&str, &serde_json::Value) -> Result<Vec<u8>, String>;

#[derive(Default)]
pub(crate) struct FakeJobs {
    stand_in: Option<Box<StandIn>>,
    by_key: BTreeMap<String, Result<Vec<u8>, String>>,
}

impl FakeJobs {
    pub(crate) fn grant(
        &mut self,
        stand_in: impl FnMut(&str, &serde_json::Value) -> Result<Vec<u8>, String> + 'static,
    ) {
        self.stand_in = Some(Box::new(stand_in));
    }

    pub(crate) fn submit(
        &mut self,
        key: &str,
        definition: &str,
        params: &str,
    ) -> Result<String, JobError> {
        let Some(stand_in) = &mut self.stand_in else {
            let why = format!("the task submits no jobs of '{definition}'");
            return Err(JobError::NotGranted(why));
        };
        if !self.by_key.contains_key(key) {
            let params = serde_json::from_str(params);
            let params = params.map_err(|error| JobError::Invalid(error.to_string()))?;
            let end = stand_in(definition, &params);
            self.by_key.insert(key.to_owned(), end);
        }
        Ok(format!("fake-{key}"))
    }

    pub(crate) fn look(&self, key: &str) -> Option<JobStatus> {
        let end = self.by_key.get(key)?;
        Some(JobStatus {
            id: format!("fake-{key}"),
            state: match end {
                Ok(_) => JobState::Succeeded,
                Err(_) => JobState::Failed,
            },
            total: 1,
            succeeded: end.is_ok().into(),
            failed: end.is_err().into(),
            failure: end.as_ref().err().cloned(),
        })
    }

    pub(crate) fn wait(&self, key: &str) -> Result<JobStatus, JobError> {
        self.look(key).ok_or_else(|| none(key))
    }

    pub(crate) fn read(&self, key: &str) -> Result<Vec<u8>, JobError> {
        match self.by_key.get(key) {
            Some(Ok(bytes)) => Ok(bytes.clone()),
            Some(Err(_)) => Err(JobError::Invalid(format!("job '{key}' has not succeeded"))),
            None => Err(none(key)),
        }
    }
}

fn none(key: &str) -> JobError {
    JobError::Invalid(format!("no job was submitted as '{key}'"))
}

#[cfg(test)]
mod tests {
    use crate::jobs::{JobError, JobState};
    use crate::testing::Fake;

    #[test]
    fn jobs_end_as_the_stand_in_says() {
        let fake = Fake::new().submits(|definition, params| match params["day"].as_str() {
            Some(day) => Ok(format!("\"{definition} of {day}\"").into_bytes()),
            None => Err("no day".into()),
        });
        let ctx = fake.context();
        let (good, bad) = (ctx.child("a"), ctx.child("b"));
        assert_eq!(good.look(), Ok(None));
        assert!(matches!(good.wait(), Err(JobError::Invalid(_))));
        assert_eq!(
            good.submit("nightly", &[("day", "monday")]),
            Ok("fake-a".into())
        );
        // The same key is the same job.
        assert_eq!(
            good.submit("nightly", &[("day", "friday")]),
            Ok("fake-a".into())
        );
        assert_eq!(good.read(), Ok("nightly of monday".to_owned()));
        assert_eq!(bad.submit("nightly", &[("n", 1)]), Ok("fake-b".into()));
        let status = bad.wait().map(|status| (status.state, status.failure));
        assert_eq!(status, Ok((JobState::Failed, Some("no day".into()))));
        assert!(matches!(bad.read::<String>(), Err(JobError::Invalid(_))));
        let refused = Fake::new()
            .context()
            .child("a")
            .submit("nightly", &[("n", 1)]);
        assert!(matches!(refused, Err(JobError::NotGranted(_))));
    }
}
