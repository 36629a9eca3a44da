/// Strings one behind the other, in one allocation for all of them.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    text: String,
    ends: Vec<usize>,
}

impl Strings {
    /// Room for so many strings, of so many bytes together.
    pub(crate) fn with_capacity(strings: usize, bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            ends: Vec::with_capacity(strings),
        }
    }

    pub(crate) fn push(&mut self, string: &str) {
        self.push_joined([string, ""]);
    }

    /// Pushes the string of both parts.
    pub(crate) fn push_joined(&mut self, parts: [&str; 2]) {
        for part in parts {
            self.text.push_str(part);
        }
        self.ends.push(self.text.len());
    }

    /// The string that was pushed after `place` others.
    pub(crate) fn get(&self, place: usize) -> &str {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[place]]
    }

    pub(crate) fn all(&self) -> Vec<&str> {
        (0..self.ends.len()).map(|place| self.get(place)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_string_comes_back_as_it_was_pushed() {
        let pushed = ["a", "", "ö", "bc", ""];
        let mut strings = Strings::with_capacity(2, 3);
        for string in pushed {
            strings.push(string);
        }
        assert_eq!(strings.all(), pushed);
        assert_eq!(strings.get(3), "bc");
    }

    #[test]
    fn a_string_in_two_parts_comes_back_as_one() {
        let mut strings = Strings::default();
        for parts in [["a", "b"], ["", "ö"], ["c", ""], ["", ""]] {
            strings.push_joined(parts);
        }
        assert_eq!(strings.all(), ["ab", "ö", "c", ""]);
    }
}
