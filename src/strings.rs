/// Strings one behind the other, in one allocation for all of them.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    text: String,
    ends: Vec<usize>,
}

impl Strings {
    pub(crate) fn with_capacity(strings: usize) -> Self {
        Self {
            text: String::new(),
            ends: Vec::with_capacity(strings),
        }
    }

    pub(crate) fn push(&mut self, string: &str) {
        self.text.push_str(string);
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
        let mut strings = Strings::with_capacity(2);
        for string in pushed {
            strings.push(string);
        }
        assert_eq!(strings.all(), pushed);
        assert_eq!(strings.get(3), "bc");
    }
}
