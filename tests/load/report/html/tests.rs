#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::html;
use crate::record::{Report, Second};
use crate::report::tests::{fixture, report};

const FIXTURES: [&str; 5] = ["calm", "crash", "twelve", "violation", "empty"];

/// The texts of all charts and signs.
fn drawings(page: &str) -> impl Iterator<Item = &str> {
    page.split("<svg").skip(1).map(|rest| rest.split("</svg>").next().unwrap())
}

#[test]
fn a_page_needs_nothing_beside_itself() {
    for name in FIXTURES {
        let page = html(&fixture(name));
        for foreign in ["<script", "<link", "<img", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(foreign), "{name} has {foreign}");
        }
    }
}

#[test]
fn what_a_service_answers_is_text() {
    let page = html(&fixture("violation"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!page.contains("<script"));
}

#[test]
fn each_operation_has_its_line() {
    for (name, lines) in [("calm", 3), ("crash", 4), ("twelve", 12), ("violation", 2), ("empty", 0)] {
        let page = html(&fixture(name));
        assert_eq!(page.matches("class=\"leader\"").count(), lines, "{name}");
    }
}

#[test]
fn latencies_rise_with_their_percentiles() {
    for name in FIXTURES {
        let page = html(&fixture(name));
        for group in page.split("<path class=\"line\" d=\"").skip(1).filter(|group| group.contains("class=\"leader\""))
        {
            let path = group.split('"').next().unwrap();
            let points: Vec<(f64, f64)> = path.split(['M', 'L']).skip(1).map(point).collect();
            assert!(points.is_sorted_by(|a, b| a.0 <= b.0 && a.1 >= b.1), "{name}: {path}");
        }
    }
}

fn point(text: &str) -> (f64, f64) {
    let (x, y) = text.split_once(' ').unwrap();
    (x.parse().unwrap(), y.parse().unwrap())
}

#[test]
fn a_gap_is_marked_where_it_was() {
    let page = html(&fixture("crash"));
    assert_eq!(page.matches("class=\"gap\"").count(), 1);
    // Seconds 41, 42 and 43 of 90, on an axis from 76 to 1032.
    let gap = page.split("class=\"gap\" x=\"").nth(1).unwrap();
    let left: f64 = gap.split('"').next().unwrap().parse().unwrap();
    let width: f64 = gap.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    assert!((left - (76.0 + 956.0 * 41.0 / 90.0)).abs() < 0.1, "{left}");
    assert!((width - 956.0 * 3.0 / 90.0).abs() < 0.1, "{width}");
    assert!(!html(&fixture("calm")).contains("class=\"gap\""));
}

#[test]
fn a_day_is_no_larger_than_its_picture() {
    let second = Second { succeeded: 5000, p50_us: 400, p99_us: 900, max_us: 2000, ..Second::default() };
    let timeline = vec![second; 86_400];
    let page = html(&Report { seconds: 86_400.0, timeline, ..fixture("calm") });
    assert_eq!(page.matches("class=\"touch\"").count(), 600);
    assert!(page.contains("Each step is 144 seconds"));
    assert!(page.contains("5,000 calls/s"));
    assert!(page.len() < 300_000, "{}", page.len());
}

#[test]
fn a_piece_of_a_second_counts_as_such() {
    let second = Second { succeeded: 1000, p50_us: 400, p99_us: 900, ..Second::default() };
    let piece = Second { succeeded: 500, ..second.clone() };
    let run = |seconds, last: &Second| {
        html(&Report { seconds, timeline: vec![second.clone(), second.clone(), last.clone()], ..fixture("calm") })
    };
    assert!(run(2.5, &piece).contains("2 s to 2.50 s: 1,000 calls/s"));
    assert!(run(2.1, &Second { succeeded: 100, ..second.clone() }).contains("1 s to 2.10 s: 1,000 calls/s"));
}

proptest! {
    #[test]
    fn what_is_drawn_is_always_a_number(report in report()) {
        let page = html(&report);
        for drawing in drawings(&page) {
            let drawing = drawing.to_lowercase();
            prop_assert!(!drawing.contains("nan") && !drawing.contains("inf"), "{drawing}");
        }
        prop_assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        prop_assert!(!page.contains("<script"));
        prop_assert!(page.ends_with("</html>"));
    }
}
