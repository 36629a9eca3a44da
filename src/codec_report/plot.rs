use std::{error::Error, ops::Range, time::Duration};

use plotters::{
    coord::{
        Shift,
        combinators::{BindKeyPoints, IntoLogRange},
    },
    element::{Circle, Cross, PathElement, Polygon, Rectangle, Text},
    prelude::{
        BLACK, ChartBuilder, DrawingArea, IntoDrawingArea, IntoFont, LineSeries, RGBColor, SVGBackend, TRANSPARENT,
        WHITE,
    },
    style::{
        Color, ShapeStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{CodecReport, table};

const SIZE: (u32, u32) = (900, 520);
const LEGEND: u32 = 170;
const LABEL: i32 = 13;

const SERIALIZERS: [(&str, RGBColor); 3] = [
    ("postcard", RGBColor(0xd6, 0x27, 0x28)),
    ("json", RGBColor(0x1f, 0x77, 0xb4)),
    ("messagepack", RGBColor(0x2c, 0xa0, 0x2c)),
];
const COMPRESSORS: [&str; 4] = ["none", "snappy", "lz4", "zstd"];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

struct Point {
    serializer: &'static str,
    compressor: &'static str,
    /// Microseconds of an encoding and a decoding.
    time: f64,
    bytes: f64,
}

pub(super) fn svg(report: &CodecReport) -> String {
    let mut svg = String::new();
    let drawn = draw(&mut svg, report, &points(report));
    drawn.expect("a string takes all that is drawn on it, and the axes are finite");
    svg
}

fn points(report: &CodecReport) -> Vec<Point> {
    let points = report.rows.iter().filter_map(|row| {
        let cost = row.cost.as_ref().ok()?;
        Some(Point {
            serializer: row.serializer,
            compressor: row.compressor,
            // Axes that are logarithmic have no zero.
            time: ((cost.encode + cost.decode).as_secs_f64() * 1e6).max(1e-4),
            bytes: cost.bytes.max(0.1),
        })
    });
    points.collect()
}

fn draw(svg: &mut String, report: &CodecReport, points: &[Point]) -> Drawn {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(SIZE.0 - LEGEND);
    let values = if report.samples == 1 { "value" } else { "values" };
    let title = format!(
        "Size against time: means of {} {values}, lower left is better",
        report.samples
    );
    let times = span(points.iter().map(|point| point.time));
    let sizes = span(points.iter().map(|point| point.bytes));
    let mut chart = ChartBuilder::on(&left)
        .caption(title, ("sans-serif", 18))
        .margin(16)
        .x_label_area_size(50)
        .y_label_area_size(84)
        .build_cartesian_2d(
            times.clone().log_scale().with_key_points(ticks(&times)),
            sizes.clone().log_scale().with_key_points(ticks(&sizes)),
        )?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 15))
        .x_desc("time to encode and decode one value")
        .y_desc("stored bytes of one value")
        .x_label_formatter(&|time| table::time(Duration::from_secs_f64(time / 1e6)))
        .y_label_formatter(&|bytes| size(*bytes))
        .draw()?;
    let best: Vec<(f64, f64)> = unbeaten(points).map(|point| (point.time, point.bytes)).collect();
    if best.len() > 1 {
        chart.draw_series(LineSeries::new(best, BLACK.mix(0.35).stroke_width(1)))?;
    }
    let places: Vec<(i32, i32)> = points
        .iter()
        .map(|point| chart.backend_coord(&(point.time, point.bytes)))
        .collect();
    for (point, place) in points.iter().zip(&places) {
        mark(&root, *place, point.compressor, colour(point.serializer))?;
    }
    label(&root, points, &places)?;
    legend(&right)?;
    root.present()?;
    Ok(())
}

/// The range of `values` with room around it; some range where there are none.
fn span(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low <= high { low / 1.4..high * 1.4 } else { 1.0..10.0 }
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

/// `640 B`, `3.5 kB`, `1.2 MB`.
fn size(bytes: f64) -> String {
    match bytes {
        ..1e3 => format!("{bytes:.0} B"),
        1e3..1e4 => format!("{:.1} kB", bytes / 1e3),
        1e4..1e6 => format!("{:.0} kB", bytes / 1e3),
        _ => format!("{:.1} MB", bytes / 1e6),
    }
}

/// The points that no other beats in both time and size, from the quickest on.
fn unbeaten(points: &[Point]) -> impl Iterator<Item = &Point> {
    let mut sorted: Vec<&Point> = points.iter().collect();
    sorted.sort_by(|a, b| a.time.total_cmp(&b.time).then(a.bytes.total_cmp(&b.bytes)));
    let mut smallest = f64::INFINITY;
    sorted.into_iter().filter(move |point| {
        let better = point.bytes < smallest;
        smallest = smallest.min(point.bytes);
        better
    })
}

fn colour(serializer: &str) -> RGBColor {
    let known = SERIALIZERS.iter().find(|(name, _)| *name == serializer);
    known.map_or(BLACK, |(_, colour)| *colour)
}

/// A shape for each compressor, so that a print without colours can be read too.
fn mark(area: &Area<'_>, (x, y): (i32, i32), compressor: &str, colour: RGBColor) -> Drawn {
    let filled = ShapeStyle::from(colour).filled();
    match compressor {
        "none" => area.draw(&Circle::new((x, y), 5, filled))?,
        "snappy" => area.draw(&Rectangle::new([(x - 5, y - 5), (x + 5, y + 5)], filled))?,
        "lz4" => area.draw(&Polygon::new(vec![(x, y - 6), (x + 6, y + 5), (x - 6, y + 5)], filled))?,
        _ => area.draw(&Cross::new((x, y), 5, colour.stroke_width(3)))?,
    }
    Ok(())
}

/// Names the points where a name has room; the legend tells the others.
fn label(area: &Area<'_>, points: &[Point], places: &[(i32, i32)]) -> Drawn {
    let around = |(x, y): (i32, i32)| Boxed {
        left: x - 8,
        right: x + 8,
        top: y - 8,
        bottom: y + 8,
    };
    let mut taken: Vec<Boxed> = places.iter().map(|place| around(*place)).collect();
    for (point, &(x, y)) in points.iter().zip(places) {
        let name = match point.compressor {
            "none" => point.serializer.to_owned(),
            compressor => format!("{} + {compressor}", point.serializer),
        };
        // A wide guess for a letter, since nobody knows the viewer's font.
        let width = i32::try_from(name.len()).unwrap_or(0) * (LABEL * 6 / 10);
        let ways = [
            (x + 10, y),
            (x - 10 - width, y),
            (x - width / 2, y - 16),
            (x - width / 2, y + 16),
            (x + 8, y - 16),
            (x + 8, y + 16),
            (x - 8 - width, y - 16),
            (x - 8 - width, y + 16),
        ];
        let free = ways.into_iter().find_map(|(left, middle)| {
            let boxed = Boxed {
                left,
                right: left + width,
                top: middle - 8,
                bottom: middle + 8,
            };
            let room = boxed.within_chart() && taken.iter().all(|other| !boxed.overlaps(other));
            room.then_some(((left, middle), boxed))
        });
        if let Some((place, boxed)) = free {
            taken.push(boxed);
            text(area, name, place, colour(point.serializer))?;
        }
    }
    Ok(())
}

struct Boxed {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

impl Boxed {
    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    fn within_chart(&self) -> bool {
        let most = i32::try_from(SIZE.0 - LEGEND).unwrap_or(i32::MAX);
        self.left > 104 && self.right < most && self.top > 44
    }
}

fn text(area: &Area<'_>, name: String, place: (i32, i32), colour: RGBColor) -> Drawn {
    let style = ("sans-serif", LABEL)
        .into_font()
        .color(&colour)
        .pos(Pos::new(HPos::Left, VPos::Center));
    area.draw(&Text::new(name, place, style))?;
    Ok(())
}

fn legend(area: &Area<'_>) -> Drawn {
    let mut y = 70;
    for (name, colour) in SERIALIZERS {
        area.draw(&Rectangle::new(
            [(8, y - 5), (28, y + 5)],
            ShapeStyle::from(colour).filled(),
        ))?;
        text(area, name.into(), (38, y), BLACK)?;
        y += 24;
    }
    y += 12;
    for name in COMPRESSORS {
        mark(area, (18, y), name, RGBColor(0x55, 0x55, 0x55))?;
        let name = if name == "none" { "not compressed" } else { name };
        text(area, name.into(), (38, y), BLACK)?;
        y += 24;
    }
    y += 12;
    area.draw(&PathElement::new([(8, y), (28, y)], BLACK.mix(0.35).stroke_width(1)))?;
    text(area, "beaten by none".into(), (38, y), BLACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(time: f64, bytes: f64) -> Point {
        Point {
            serializer: "json",
            compressor: "none",
            time,
            bytes,
        }
    }

    #[test]
    fn a_point_that_another_beats_in_both_is_not_on_the_line() {
        let points = [point(3.0, 10.0), point(1.0, 50.0), point(2.0, 60.0), point(4.0, 10.0)];
        let best: Vec<(f64, f64)> = unbeaten(&points).map(|point| (point.time, point.bytes)).collect();
        assert_eq!(best, [(1.0, 50.0), (3.0, 10.0)]);
    }

    #[test]
    fn a_report_without_rows_is_still_a_picture() {
        let nothing: [u8; 0] = [];
        let svg = crate::codec_report(&nothing).to_svg();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn an_axis_has_a_few_ticks_however_long_it_is() {
        assert_eq!(ticks(&(30.0..150.0)), [50.0, 100.0]);
        assert_eq!(ticks(&(0.5..2e4)), [1.0, 10.0, 100.0, 1_000.0, 10_000.0]);
    }

    #[test]
    fn a_size_has_the_unit_that_suits_it() {
        assert_eq!(
            [42.0, 3_481.0, 100_000.0, 2.5e6].map(size),
            ["42 B", "3.5 kB", "100 kB", "2.5 MB"]
        );
    }
}
