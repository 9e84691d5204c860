//! Proposes the nearest of some known names.

/// The known name nearest to `text`, if any is near enough to be meant: at most
/// one edit in three characters, or a match but for case and separators.
pub(crate) fn nearest<'k>(text: &str, known: &[&'k str]) -> Option<&'k str> {
    // Longer texts are no typing mistakes, and the distance is quadratic.
    if text.len() > 64 {
        return None;
    }
    let fold = |s: &str| s.to_lowercase().replace('-', "_");
    let text = fold(text);
    (known.iter())
        .map(|k| (strsim::damerau_levenshtein(&text, &fold(k)), *k))
        .filter(|(distance, k)| {
            *distance <= k.chars().count().max(3) / 3 || k.starts_with(&text) && text.len() > 2
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// "did you mean `x`?", or the list of what is known.
pub(crate) fn help(text: &str, known: &[&str]) -> String {
    match nearest(text, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known are {}", listed(known)),
    }
}

/// `a`, `b`, `c`
pub(crate) fn listed(known: &[&str]) -> String {
    known
        .iter()
        .map(|k| format!("`{k}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far() {
        let check = |text: &str, want: Option<&str>| {
            let known = ["memory", "time", "output", "queue_timeout", "on_failure"];
            assert_eq!(nearest(text, &known), want, "{text}");
        };
        check("memroy", Some("memory"));
        check("Memory", Some("memory"));
        check("mem", Some("memory"));
        check("tme", Some("time"));
        check("queue-timeout", Some("queue_timeout"));
        check("onfailure", Some("on_failure"));
        check("colour", None);
        check("", None);
        check(&"memory".repeat(100), None);
    }
}
