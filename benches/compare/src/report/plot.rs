//! SVG plots, whose text is drawn by whoever shows them.

use std::{fs, ops::Range, path::Path};

use plotters::{
    coord::{
        combinators::{BindKeyPoints, IntoLogRange},
        ranged1d::{AsRangedCoord, ValueFormatter},
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::short;
use crate::measure::Row;

/// One file of the page.
pub(crate) struct Plot {
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    /// What to look for.
    pub(crate) caption: &'static str,
    x: &'static str,
    y: &'static str,
    /// The workloads whose rows are lines.
    workloads: &'static [&'static str],
    /// Whether ten times as much is one step up.
    logarithmic: bool,
}

impl Plot {
    pub(crate) fn is_growth(&self) -> bool {
        self.workloads.iter().all(|workload| workload.starts_with("growth/"))
    }
}

const PLOTS: [Plot; 6] = [
    Plot {
        file: "get-100B.svg",
        title: "get of 100 bytes",
        caption: "Higher is better; the thick lines are larder.",
        x: "tasks",
        y: "calls per second",
        workloads: &["get/100B"],
        logarithmic: true,
    },
    Plot {
        file: "patterns-time.svg",
        title: "Calls that take a pattern: time",
        caption: "A straight line is time in proportion to the keys.",
        x: "keys",
        y: "seconds",
        workloads: &["growth/scan time", "growth/delete_pattern time"],
        logarithmic: true,
    },
    Plot {
        file: "patterns-memory.svg",
        title: "Calls that take a pattern: memory of the client",
        caption: "A level line is memory that does not grow with the keys.",
        x: "keys",
        y: "MiB above idle, at the peak",
        workloads: &["growth/scan memory", "growth/delete_pattern memory"],
        logarithmic: false,
    },
    Plot {
        file: "get-many.svg",
        title: "One get_many",
        caption: "A straight line is time in proportion to the keys.",
        x: "keys",
        y: "milliseconds",
        workloads: &["growth/get_many"],
        logarithmic: true,
    },
    Plot {
        file: "flights-time.svg",
        title: "Loads at the same time, each of another key: time",
        caption: "What is done once is shared by few keys at the left; a table that got slow would rise at the right.",
        x: "keys",
        y: "microseconds per key",
        workloads: &["growth/flights time"],
        logarithmic: true,
    },
    Plot {
        file: "flights-memory.svg",
        title: "Loads at the same time, each of another key: memory",
        caption: "Beside as many tasks that only wait; a level line is memory in proportion to the loads.",
        x: "keys",
        y: "bytes per key, at the peak",
        workloads: &["growth/flights memory"],
        logarithmic: false,
    },
];

const SIZE: (u32, u32) = (900, 500);
/// Where the names of the lines are.
const NAMES: u32 = 240;
/// What a name needs, from one to the next.
const NAME_HEIGHT: i32 = 20;
/// Everybody has a colour and a shape, the same in every plot; who is not named here has those of the end.
const CONTENDERS: [(&str, RGBColor); 12] = [
    ("larder", RGBColor(0xd6, 0x27, 0x28)),
    ("larder, shared runtime", RGBColor(0xff, 0x7f, 0x0e)),
    ("larder-redis-rs", RGBColor(0x8c, 0x1d, 0x62)),
    ("fred, bytes", RGBColor(0x1f, 0x77, 0xb4)),
    ("fred, Nagle, bytes", RGBColor(0x7f, 0xb2, 0xd9)),
    ("redis-rs, bytes", RGBColor(0x2c, 0xa0, 0x2c)),
    ("cached", RGBColor(0x94, 0x67, 0xbd)),
    ("hitbox", RGBColor(0x8c, 0x56, 0x4b)),
    ("multi-tier-cache", RGBColor(0xe3, 0x77, 0xc2)),
    ("oxcache", RGBColor(0x8a, 0x8b, 0x12)),
    ("redis-benchmark", RGBColor(0x11, 0x8a, 0x96)),
    ("", RGBColor(0x66, 0x66, 0x66)),
];

struct Line {
    contender: String,
    /// What of the plot's workloads it is of, where there are several.
    call: Option<String>,
    points: Vec<(f64, f64)>,
}

impl Line {
    fn name(&self) -> String {
        match &self.call {
            Some(call) => format!("{call}, {}", self.contender),
            None => self.contender.clone(),
        }
    }

    /// Its place among the contenders.
    fn place(&self) -> usize {
        let place = CONTENDERS.iter().position(|(name, _)| *name == self.contender);
        place.unwrap_or(CONTENDERS.len() - 1)
    }

    /// What larder is held to is drawn thinner than larder.
    fn style(&self) -> ShapeStyle {
        let width = if self.contender.starts_with("larder") { 3 } else { 1 };
        CONTENDERS[self.place()].1.stroke_width(width)
    }
}

/// Writes every plot whose rows were measured, and answers which.
pub(crate) fn write(folder: &Path, rows: &[Row]) -> Result<Vec<Plot>, String> {
    fs::create_dir_all(folder).map_err(|error| format!("docs/benchmarks: {error}"))?;
    let mut written = Vec::new();
    for plot in PLOTS {
        let lines = lines(&plot, rows);
        if lines.iter().any(|line| line.points.len() > 1) {
            let svg = draw(&plot, &lines).map_err(|error| format!("{}: {error}", plot.file))?;
            fs::write(folder.join(plot.file), svg).map_err(|error| format!("{}: {error}", plot.file))?;
            written.push(plot);
        }
    }
    Ok(written)
}

fn lines(plot: &Plot, rows: &[Row]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for row in rows
        .iter()
        .filter(|row| plot.workloads.contains(&row.workload.as_str()))
    {
        // `growth/scan time` is of `scan`.
        let call = row.workload.trim_start_matches("growth/").split(' ').next();
        let call = call.filter(|_| plot.workloads.len() > 1).map(str::to_owned);
        let point = (row.tasks as f64, row.median);
        match lines
            .iter_mut()
            .find(|line| line.contender == row.contender && line.call == call)
        {
            Some(line) => line.points.push(point),
            None => lines.push(Line {
                contender: row.contender.clone(),
                call,
                points: vec![point],
            }),
        }
    }
    lines
}

fn draw(plot: &Plot, lines: &[Line]) -> Result<String, Box<dyn std::error::Error>> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let lowest = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let highest = points().map(|point| point.1).fold(0.0, f64::max);
    if plot.logarithmic {
        let range = lowest * 0.7..highest * 1.4;
        draw_on(plot, lines, range.clone().log_scale().with_key_points(ticks(&range)))
    } else {
        draw_on(plot, lines, 0.0..(highest * 1.2).max(1.0))
    }
}

/// 1, 2 and 5 of every power of ten within the range, and the powers alone where it is long.
fn ticks(range: &Range<f64>) -> Vec<f64> {
    let steps: &[f64] = if range.end / range.start > 1e3 {
        &[1.0]
    } else {
        &[1.0, 2.0, 5.0]
    };
    let powers = (-9..16).map(|power| 10_f64.powi(power));
    let all = powers.flat_map(|power| steps.iter().map(move |step| step * power));
    all.filter(|tick| range.contains(tick)).collect()
}

fn draw_on<Y>(plot: &Plot, lines: &[Line], y: Y) -> Result<String, Box<dyn std::error::Error>>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let points = || lines.iter().flat_map(|line| &line.points);
    let least = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let most = points().map(|point| point.0).fold(0.0, f64::max);
    let across = least * 0.8..most * 1.25;
    let mut measured: Vec<f64> = points().map(|point| point.0).collect();
    measured.sort_by(f64::total_cmp);
    measured.dedup();
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let left = root.margin(0, 0, 0, NAMES);
        let mut chart = ChartBuilder::on(&left)
            .caption(plot.title, ("sans-serif", 20))
            .margin(14)
            .x_label_area_size(48)
            .y_label_area_size(78)
            .build_cartesian_2d(across.log_scale().with_key_points(measured), y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 15))
            .x_desc(plot.x)
            .y_desc(plot.y)
            .x_label_formatter(&|x| round(*x))
            .y_label_formatter(&|y| round(*y))
            .draw()?;
        for line in lines {
            let style = line.style();
            chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
        }
        let mut ends = Vec::new();
        for line in lines {
            for point in &line.points {
                mark(&root, line, chart.backend_coord(point))?;
            }
            ends.extend(line.points.last().map(|point| (chart.backend_coord(point), line)));
        }
        name(&root, ends)?;
        root.present()?;
    }
    Ok(svg)
}

/// The number at a tick, without the zeros that a figure has.
fn round(value: f64) -> String {
    let text = short(value);
    let (number, letter) = text
        .split_once(' ')
        .map_or((&*text, ""), |(number, letter)| (number, letter));
    let number = match number.split_once('.') {
        Some(_) => number.trim_end_matches('0').trim_end_matches('.'),
        None => number,
    };
    if letter.is_empty() {
        number.into()
    } else {
        format!("{number} {letter}")
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// A point of a line, in a shape of the line's own: colours alone tell nobody ten lines apart.
fn mark(area: &Area<'_>, line: &Line, (x, y): (i32, i32)) -> Result<(), Box<dyn std::error::Error>> {
    let style = line.style().stroke_width(2);
    // The second call of a plot, and the second four of the contenders, are hollow.
    let is_second = line.call.as_ref().is_some_and(|call| call.contains('_'));
    let is_filled = is_second == ((line.place() / 4) % 2 == 1);
    let style = if is_filled { style.filled() } else { style };
    let at = |across, down| (x + across, y + down);
    match line.place() % 4 {
        _ if line.place() >= 8 => area.draw(&Cross::new((x, y), 4, style))?,
        0 => area.draw(&Circle::new((x, y), 5, style))?,
        1 => area.draw(&Rectangle::new([at(-4, -4), at(4, 4)], style))?,
        2 if is_filled => area.draw(&Polygon::new([at(0, -6), at(6, 5), at(-6, 5)], style))?,
        2 => area.draw(&PathElement::new([at(0, -6), at(6, 5), at(-6, 5), at(0, -6)], style))?,
        _ if is_filled => area.draw(&Polygon::new([at(0, -6), at(6, 0), at(0, 6), at(-6, 0)], style))?,
        _ => area.draw(&PathElement::new(
            [at(0, -6), at(6, 0), at(0, 6), at(-6, 0), at(0, -6)],
            style,
        ))?,
    }
    Ok(())
}

/// Writes the names of the lines beside their ends, in the order of these, as far apart as names need.
fn name(area: &Area<'_>, mut ends: Vec<((i32, i32), &Line)>) -> Result<(), Box<dyn std::error::Error>> {
    ends.sort_by_key(|((_, height), _)| *height);
    let heights: Vec<i32> = ends.iter().map(|((_, height), _)| *height).collect();
    let left = i32::try_from(SIZE.0 - NAMES)?;
    for ((end, line), height) in ends.into_iter().zip(apart(&heights)) {
        let faint = line.style().color.mix(0.5);
        area.draw(&PathElement::new([(end.0 + 8, end.1), (left + 4, height)], faint))?;
        mark(area, line, (left + 12, height))?;
        let style = ("sans-serif", 14)
            .into_font()
            .color(&BLACK)
            .pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(line.name(), (left + 24, height), style))?;
    }
    Ok(())
}

/// The ascending `heights`, moved as little as keeps names from covering each other.
fn apart(heights: &[i32]) -> Vec<i32> {
    // Groups of names that touch, each about the middle of where its names would be.
    let mut groups: Vec<(Vec<i32>, i32)> = Vec::new();
    for &height in heights {
        let mut group = vec![height];
        let mut top = height;
        while let Some((above, at)) = groups.pop() {
            let count = i32::try_from(above.len()).unwrap_or(i32::MAX);
            if at + count * NAME_HEIGHT <= top {
                groups.push((above, at));
                break;
            }
            group.splice(0..0, above);
            let count = i32::try_from(group.len()).unwrap_or(i32::MAX);
            top = group.iter().sum::<i32>() / count - (count - 1) * NAME_HEIGHT / 2;
        }
        groups.push((group, top));
    }
    let spread = groups
        .into_iter()
        .flat_map(|(group, top)| (0..group.len()).map(move |n| top + i32::try_from(n).unwrap_or(0) * NAME_HEIGHT));
    spread.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_names_its_axes_and_its_lines() {
        let rows: Vec<Row> = [
            ("larder", 1, 10.0),
            ("larder", 16, 90.0),
            ("other", 1, 9.0),
            ("other", 16, 50.0),
        ]
        .map(|(contender, tasks, rate)| Row::of("get/100B", tasks, contender, "calls/s", vec![rate]))
        .into();
        let svg = draw(&PLOTS[0], &lines(&PLOTS[0], &rows)).unwrap();
        for text in ["get of 100 bytes", "tasks", "calls per second", "larder", "other"] {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn a_tick_has_no_zeros_that_say_nothing() {
        let shown = [0.01, 0.5, 10.0, 100.0, 20_000.0, 100_000.0, 2e6].map(round);
        assert_eq!(shown, ["0.01", "0.5", "10", "100", "20 k", "100 k", "2 M"]);
    }

    #[test]
    fn names_stand_beside_their_lines_and_never_on_each_other() {
        assert_eq!(apart(&[10, 100, 200]), [10, 100, 200]);
        assert_eq!(apart(&[100, 100]), [90, 110]);
        let close = apart(&[100, 104, 108, 130, 300]);
        assert!(
            close.windows(2).all(|pair| pair[1] - pair[0] >= NAME_HEIGHT),
            "{close:?}"
        );
        assert_eq!(close[4], 300);
    }
}
