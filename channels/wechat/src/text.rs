//! Texts as the channel takes them: characters of one to three bytes, cut to a limit in bytes (wechat reference, 10.3).

/// Keeps what the channel takes of a text, and of that as much as fits into `bytes_max`.
pub(crate) fn fitting(text: &str, bytes_max: usize) -> String {
    cut(text.trim(), bytes_max, |c| {
        !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}')
    })
    .trim()
    .to_owned()
}

/// The letters and digits of a text: anything else on a signing page breaks the way back to the App (wechat reference, 3.2).
pub(crate) fn letters_and_digits(text: &str, bytes_max: usize) -> String {
    cut(text, bytes_max, char::is_alphanumeric)
}

fn cut(text: &str, bytes_max: usize, keep: impl Fn(char) -> bool) -> String {
    let mut fitting = String::new();
    for character in text.chars().filter(|c| c.len_utf8() <= 3 && keep(*c)) {
        if fitting.len().saturating_add(character.len_utf8()) > bytes_max {
            break;
        }
        fitting.push(character);
    }
    fitting
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn emoji_and_control_characters_are_left_out_and_the_rest_is_cut_between_characters() {
        assert_eq!(fitting(" 示例🍜便利店\u{7}-消费\n", 127), "示例便利店-消费");
        assert_eq!(fitting("示例便利店", 8), "示例");
        assert_eq!(letters_and_digits("138****1234 (消费)😀", 32), "1381234消费");
    }

    proptest! {
        #[test]
        fn a_fitting_text_fits(text in any::<String>(), bytes_max in 0..200usize) {
            let fitted = fitting(&text, bytes_max);
            prop_assert!(fitted.len() <= bytes_max);
            prop_assert!(fitted.chars().all(|c| c.len_utf8() <= 3 && !c.is_control()));
        }
    }
}
