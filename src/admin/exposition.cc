#include "admin/exposition.h"

#include <cmath>
#include <fmt/format.h>
#include <iterator>

#include "base/text.h"

namespace postern::admin {
namespace {

std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

// Counts without exponent and point, as far as a double is exact.
std::string number(double value) {
  constexpr double exact_max = 9007199254740992.0;
  if (std::floor(value) == value && std::abs(value) <= exact_max)
    return fmt::format("{}", static_cast<std::int64_t>(value));
  return fmt::format("{}", value);
}

// Always with a point: the same series in both formats.
std::string bound(Duration duration) {
  const std::string text = fmt::format("{}", std::chrono::duration<double>(duration).count());
  return text.find('.') == std::string::npos ? text + ".0" : text;
}

std::string label_set(const std::vector<Label>& labels, std::string_view le = {}) {
  std::string out;
  for (const Label& label : labels)
    out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", label.name, escaped(label.value));
  if (!le.empty()) out += fmt::format("{}le=\"{}\"", out.empty() ? "" : ",", le);
  return out.empty() ? out : "{" + out + "}";
}

void add_histogram(std::string& text, std::string_view name, const std::vector<Label>& labels,
                   const HistogramView& histogram) {
  auto out = std::back_inserter(text);
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < histogram.buckets.size(); ++i) {
    count += histogram.buckets[i];
    const bool last = i == histogram.bounds.size();
    fmt::format_to(out, "{}_bucket{} {}\n", name,
                   label_set(labels, last ? "+Inf" : bound(histogram.bounds[i])), count);
  }
  fmt::format_to(out, "{}_sum{} {}\n", name, label_set(labels), number(histogram.sum_seconds));
  fmt::format_to(out, "{}_count{} {}\n", name, label_set(labels), count);
}

}  // namespace

std::string_view type_word(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return "counter";
    case MetricType::gauge:
      return "gauge";
    case MetricType::histogram:
      return "histogram";
  }
  return "";
}

// The weights of RFC 9110 section 12.4.2 are not looked at: whoever names OpenMetrics reads it.
Exposition exposition_for(std::string_view accept) {
  return to_lower(accept).find("application/openmetrics-text") == std::string::npos
             ? Exposition::prometheus
             : Exposition::open_metrics;
}

std::string_view content_type(Exposition exposition) {
  return exposition == Exposition::prometheus
             ? "text/plain; version=0.0.4; charset=utf-8"
             : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

std::string expose(const std::vector<MetricFamily>& families, Exposition exposition) {
  constexpr std::string_view total = "_total";
  std::string text;
  auto out = std::back_inserter(text);
  for (const MetricFamily& family : families) {
    std::string_view name = family.name;
    // OpenMetrics names a counter without the ending that its samples have.
    if (exposition == Exposition::open_metrics && family.type == MetricType::counter &&
        name.ends_with(total))
      name.remove_suffix(total.size());
    fmt::format_to(out, "# HELP {} {}\n# TYPE {} {}\n", name, family.help, name,
                   type_word(family.type));
    for (const Sample& sample : family.samples) {
      if (const auto* histogram = std::get_if<HistogramView>(&sample.value))
        add_histogram(text, family.name, sample.labels, *histogram);
      else
        fmt::format_to(out, "{}{} {}\n", family.name, label_set(sample.labels),
                       number(std::get<double>(sample.value)));
    }
  }
  if (exposition == Exposition::open_metrics) text += "# EOF\n";
  return text;
}

}  // namespace postern::admin
