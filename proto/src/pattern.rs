//! Patterns of paths: `*` and `?` within a name, `**` for any folders. Names that begin with
//! a point fit none.

use crate::files::is_inside;

/// Whether a text is such a pattern.
pub fn is_pattern(pattern: &str) -> bool {
    is_inside(pattern) && pattern.split('/').all(is_plain)
}

/// Whether a path, relative and with `/` between names, fits a pattern.
pub fn fits(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let names: Vec<&str> = path.split('/').collect();
    names.iter().all(|name| !name.starts_with('.'))
        && wild(&pattern, &names, &"**", |pattern, name| {
            let pattern: Vec<char> = pattern.chars().collect();
            let name: Vec<char> = name.chars().collect();
            wild(&pattern, &name, &'*', |p, c| *p == '?' || p == c)
        })
}

/// A name with wildcards, or any folders.
fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && (name == "**" || !name.contains("**"))
}

/// Whether a text fits a pattern in which `any` stands for any number of parts. Goes back to
/// the latest of those alone, so that it takes no longer than both lengths multiplied.
fn wild<T: PartialEq>(pattern: &[T], text: &[T], any: &T, fits: impl Fn(&T, &T) -> bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(any) {
            back = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|part| fits(part, &text[t])) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((star, from)) = back {
            back = Some((star, from + 1));
            (p, t) = (star + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|part| part == any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits() {
        let check = |pattern: &str, path: &str, want: bool| {
            assert_eq!(fits(pattern, path), want, "{pattern} {path}");
        };
        check("*.html", "index.html", true);
        check("*.html", "out/index.html", false);
        check("out/*.html", "out/index.html", true);
        check("**/*.html", "index.html", true);
        check("**/*.html", "a/b/c/index.html", true);
        check("a/**", "a/b/c", true);
        check("a/**/c", "a/c", true);
        check("a/**/c", "a/b/d", false);
        check("?.txt", "ü.txt", true);
        check("?.txt", "ab.txt", false);
        check("a*b*c", "aXbXbc", true);
        check("a*b*c", "aXbXbcd", false);
        check("**", ".hidden/a", false);
        check("*", ".hidden", false);
        // A long way to no.
        check(&"*a".repeat(100), &"a".repeat(99), false);
    }

    #[test]
    fn what_is_a_pattern() {
        let check = |pattern: &str, want: bool| assert_eq!(is_pattern(pattern), want, "{pattern}");
        for good in ["a", "*.html", "**/*.html", "out/?/x"] {
            check(good, true);
        }
        for bad in ["", "/a", "../a", "a//b", "a**", ".a", "a/.b", "a/"] {
            check(bad, false);
        }
    }
}
