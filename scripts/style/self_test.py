"""Tests of the other modules, with snippets and a small workspace."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

from comments import too_long
from crates import OTHERS, Tree
from duplicates import Run, code_lines, exact, runs, shape
from figures import FIGURES, table
from lexer import lex
from lists import LISTS
from outline import outline
from source import Source
from survey import Part, Survey
from wording import first_sentence, opens_forbidden, opens_with_pronoun, opens_with_question, test_macros, test_names


def run() -> None:
    """Runs all tests, and exits with an error if one fails."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    result = unittest.TextTestRunner(verbosity=0).run(suite)
    if not result.wasSuccessful():
        sys.exit("style: the self-test fails")


def source(text: str, name: str = "lib.rs") -> Source:
    return Source(Path(name), text)


class Lexing(unittest.TestCase):
    def kinds(self, text: str) -> list[tuple[str, str]]:
        return [(token.kind, token.text) for token in lex(text)[0]]

    def test_literals_are_one_token(self) -> None:
        text = r""""a // \" b" r#"raw " // "# b'\'' 'x' '\u{1F}' br"\" c"" """
        self.assertEqual({kind for kind, _ in self.kinds(text)}, {"text"})
        self.assertEqual(len(self.kinds(text)), 7)

    def test_lifetimes_are_not_characters(self) -> None:
        tokens = self.kinds("fn f<'a, 'b>(x: &'a str)")
        self.assertEqual([text for kind, text in tokens if kind == "lifetime"], ["'a", "'b", "'a"])

    def test_ranges_are_not_floats(self) -> None:
        self.assertEqual(
            [text for _, text in self.kinds("0..5 1.5 2.max")], ["0", ".", ".", "5", "1.5", "2", ".", "max"]
        )

    def test_comments_have_lines(self) -> None:
        tokens, comments = lex("// one\nlet a = 1; // two\n/* three /* inner */\n */ let b = 2;\n/// four\n")
        self.assertEqual(
            [(comment.line, comment.alone) for comment in comments], [(1, True), (2, False), (3, True), (5, True)]
        )
        self.assertEqual([token.line for token in tokens if token.text == "let"], [2, 4])


class Tests(unittest.TestCase):
    def test_items_for_tests(self) -> None:
        text = """fn a() {}
            #[cfg(test)]
            use b::{c, d};
            #[cfg(not(test))]
            fn e() {}
            struct F {
                #[cfg(all(test, not(loom)))]
                g: Vec<u8>,
                h: u8,
            }
            #[cfg(test)]
            mod tests {
                fn i() {}
            }
            fn j() {}
            #[cfg(any(test, fuzzing))]
            pub(crate) const fn k(l: u8) -> u8 {
                l
            }
            #[cfg(all(not(test), feature = "test"))]
            fn m() {}"""
        self.assertEqual(sorted(source(text).test_lines), [2, 3, 7, 8, 11, 12, 13, 14, 16, 17, 18, 19])

    def test_attributes_that_make_tests(self) -> None:
        made = [source(text).is_test_attribute(0) for text in ("#[test]", '#[tokio::test(flavor = "x")]')]
        self.assertEqual(made, [True, True])
        others = [source(text).is_test_attribute(0) for text in ("#[cfg(test)]", '#[doc = "test"]', "#[tested]")]
        self.assertEqual(others, [False, False, False])


class Functions(unittest.TestCase):
    def test_lengths(self) -> None:
        text = """trait A {
                fn without(&self) -> [u8; 2];
                fn with<T>(&self, value: T) -> Option<T>
                where
                    T: Fn(u8) -> u8,
                {
                    fn inner() {}
                    Some(value)
                }
            }
            type B = fn(u8) -> u8;"""
        found = [(function.name, function.line, function.length) for function in source(text).functions]
        self.assertEqual(found, [("with", 3, 7), ("inner", 7, 1)])


class Wording(unittest.TestCase):
    def test_docs_and_headers(self) -> None:
        text = "//! A module.\n\n/// First\n/// sentence. More.\n///\n/// Rest.\nfn a() {}\n/// Other.\n//// No.\n"
        found = source(text)
        self.assertEqual(
            [(doc.line, first_sentence(doc)) for doc in found.docs], [(3, "First sentence."), (8, "Other.")]
        )
        self.assertEqual([doc.text for doc in found.headers], ["A module."])

    def test_openers(self) -> None:
        sentences = [
            "What it is.",
            "Whoever came.",
            "All that is left.",
            "How many.",
            "It is.",
            "Whatsoever.",
            "All of it.",
        ]
        self.assertEqual(list(map(opens_forbidden, sentences)), [True, True, True, False, False, False, False])
        self.assertEqual(list(map(opens_with_question, sentences)), [True, True, True, True, False, False, False])
        self.assertEqual(list(map(opens_with_pronoun, sentences)), [False, False, False, False, True, False, False])

    def test_names_of_tests(self) -> None:
        text = """macro_rules! each { ($($body:tt)+) => { $(#[test] fn $name() {})+ }; }
            macro_rules! both { ($($body:tt)+) => { each! { $($body)+ } }; }
            macro_rules! other { () => { fn no_test() {} }; }
            #[test]
            #[ignore = "slow"]
            fn peer_closes_early() {}
            both! {
                async fn what_is_there(at) { fn inner() {} }
                fn a_name(at) { each(at) }
            }
            each! { listed_one, listed_two = Tcp, Current }
            other! {}
            fn listed_one() {}
            fn listed_two() {}"""
        found = source(text)
        names = list(test_names(found, test_macros([found])))
        expected = ["peer_closes_early", "what_is_there", "a_name", "listed_one", "listed_two"]
        self.assertEqual([name.name for name in names], expected)
        self.assertEqual([name.words for name in names], [3, 3, 2, 2, 2])
        self.assertEqual([name.opens_badly for name in names], [False, True, False, False, False])


class Comments(unittest.TestCase):
    def test_long_lines(self) -> None:
        word = "w" * 60
        text = "\n".join(
            [
                f"// {word} {word}",  # too long
                f"    /// - {word} {word}",  # too long
                f"/// | {word} | {word} |",
                f"/// [link]: https://{word}{word}",
                f"// https://{word}{word}",
                f"let a = 1; // {word} {word}",
                f'let b = "\n// {word} {word}";',
            ]
        )
        self.assertEqual(list(too_long(source(text))), [1, 2])

    def test_limit(self) -> None:
        self.assertEqual(list(too_long(source("// a " + "b" * 95))), [])
        self.assertEqual(list(too_long(source("// a " + "b" * 96))), [1])


class Duplicates(unittest.TestCase):
    def found(self, *texts: str, length: int = 3, of_shape: bool = False) -> list[Run]:
        files = {Path(str(number)): code_lines(source(text), tests=False) for number, text in enumerate(texts)}
        return runs(files, length, shape if of_shape else exact)

    def test_later_copy_counts_once(self) -> None:
        text = "let a = 1;\n// a comment\nlet b = 2;\n\nlet c = 3;\nlet d = 4;\n"
        (run,) = self.found(text, f"fn f();\n{text}")
        self.assertEqual(run, Run(Path("1"), 2, 7, 4, Path("0"), 1))

    def test_short_copies_do_not_count(self) -> None:
        self.assertEqual(self.found("a;\nb;\nc;\n", "a;\nb;\nd;\n"), [])

    def test_lines_do_not_repeat_themselves(self) -> None:
        self.assertEqual(self.found("a;\n" * 5), [])
        (run,) = self.found("a;\n" * 6)
        self.assertEqual((run.first, run.last), (4, 6))

    def test_shape_leaves_names_out(self) -> None:
        first, second = "let a = 1;\nf(a);\nif a {}\n", "let b = 2;\ng(b);\nif b {}\n"
        self.assertEqual(self.found(first, second), [])
        self.assertEqual(len(self.found(first, second, of_shape=True)), 1)
        self.assertEqual(self.found(first, second.replace("if", "while"), of_shape=True), [])

    def test_runs_are_apart(self) -> None:
        text = "a;\nb;\nc;\n"
        lines = [(run.first, run.last) for run in self.found(text, f"{text}x;\n{text}{text}")]
        self.assertEqual(lines, [(1, 3), (5, 10)])


class Imports(unittest.TestCase):
    def test_outline(self) -> None:
        found = outline(
            source(
                """pub(crate) use a::{self, b::{c as d, e}, f::*};
                #[path = "elsewhere.rs"]
                mod g;
                mod h {
                    pub(in crate::j) fn i(x: super::k::L) -> impl Sized + use<> {}
                }
                pub enum m {}"""
            )
        )
        paths = [("a", "self"), ("a", "b", "c"), ("a", "b", "e"), ("a", "f", "*"), ("crate", "j"), ("super", "k", "L")]
        self.assertEqual([imported.path for imported in found.imports], paths)
        self.assertEqual([imported.alias for imported in found.imports], [None, "d", None, None, "", ""])
        self.assertEqual([(module.name, module.path) for module in found.modules], [("g", "elsewhere.rs")])
        self.assertEqual((found.inline, found.defined[("h",)], found.defined[()]), ({(), ("h",)}, {"i"}, {"m"}))


WORKSPACE = {
    "Cargo.toml": '[workspace]\nmembers = [\n    "box-core",\n    "box-testing",\n]\n',
    "box-core/Cargo.toml": "",
    "box-core/src/lib.rs": "mod a;\nmod b;\nmod c;\nmod d;\nmod e;\n#[cfg(test)]\nmod models;\nuse e::E;\n",
    "box-core/src/a.rs": "use crate::b::B;\n/// What it is.\npub struct A {\n    pub(crate) field: u8,\n}\n",
    "box-core/src/b.rs": "use super::a;\n/// Makes one.\npub fn b() {\n    c.unwrap();\n    panic!();\n}\n",
    "box-core/src/c/mod.rs": "pub mod inner;\nuse inner::Inner;\nuse crate::d::D;\n",
    "box-core/src/c/inner.rs": "use super::Other;\nuse crate::E;\npub struct Inner;\n",
    "box-core/src/d.rs": "#[cfg(test)]\nmod tests {\n    use crate::c::C;\n    #[test]\n    fn d_is_tested() {}\n}\n",
    "box-core/src/e.rs": "use super::c::inner::Inner;\npub struct E;\n",
    "box-core/src/models.rs": "use crate::a::A;\nfn model() {\n    x.unwrap();\n}\n",
    "box-core/tests/it/main.rs": 'mod one;\nmod two;\n#[path = "../common.rs"]\nmod common;\n',
    "box-core/tests/it/one.rs": "use crate::two::two;\n",
    "box-core/tests/it/two.rs": "use crate::one::one;\n",
    "box-core/tests/common.rs": "#[test]\nfn what_is_common_to_all_tests_of_it() {}\n",
    "box-testing/Cargo.toml": "publish = false\n",
    "box-testing/src/lib.rs": "pub fn help() {\n    a.unwrap();\n}\n",
    "target/debug/build.rs": "fn built() {}\n",
}


class Workspaces(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = Path(folder.name).resolve()
        for name, text in WORKSPACE.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        self.survey = Survey(Tree.read(root))
        self.whole = self.survey.whole()

    def names(self, part: Part) -> list[str]:
        return [self.survey.tree.name_of(source.path) for source in part.sources]

    def test_files_by_crate(self) -> None:
        parts = self.survey.parts()
        self.assertEqual(list(parts), ["box-core", OTHERS])
        self.assertEqual(self.names(parts[OTHERS]), ["box-testing/src/lib.rs"])
        self.assertEqual(len(self.names(self.whole)), len([name for name in WORKSPACE if name.endswith(".rs")]) - 1)

    def test_files_of_tests(self) -> None:
        tests = [source.path.name for source in self.whole.sources if source.is_test]
        self.assertEqual(tests, ["models.rs", "common.rs", "main.rs", "one.rs", "two.rs", "lib.rs"])

    def test_circles(self) -> None:
        found = [([path.name for path in circle.files], circle.through_names) for circle in self.survey.circles]
        expected = [(["a.rs", "b.rs"], False), (["one.rs", "two.rs"], False), (["inner.rs", "e.rs"], True)]
        self.assertEqual(found, expected)

    def test_counts(self) -> None:
        self.assertEqual(self.whole.calls("unwrap", "panic"), 2)
        self.assertEqual((self.whole.public(restricted=False), self.whole.public(restricted=True)), (5, 1))
        self.assertEqual((self.whole.code_lines(), self.whole.test_lines()), (23, 23))
        self.assertEqual(
            [name.name for _, name in self.whole.test_names], ["d_is_tested", "what_is_common_to_all_tests_of_it"]
        )

    def test_lists_and_table(self) -> None:
        lists = {name: list(made(self.whole)) for name, made in LISTS.items()}
        self.assertEqual(lists["openers"], ["box-core/src/a.rs:2: What it is."])
        self.assertEqual(lists["tests"], ["box-core/tests/common.rs:2: what_is_common_to_all_tests_of_it"])
        self.assertEqual(len(lists["circles"]), 3)
        self.assertEqual(len(table(self.survey).splitlines()), len(FIGURES) + 1)
