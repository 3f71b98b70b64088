#include "app/metric_snapshot.h"

#include <algorithm>
#include <numeric>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "app/reply_fields.h"

namespace postern::app {
namespace {

namespace json = boost::json;

double number_in(const json::value& value) {
  boost::system::error_code error;
  const double number = value.to_number<double>(error);
  return error ? 0 : number;
}

}  // namespace

std::uint64_t BucketCounts::total() const {
  return std::reduce(buckets.begin(), buckets.end());
}

std::optional<double> BucketCounts::percentile(double share) const {
  const auto all = static_cast<double>(total());
  if (all == 0 || buckets.size() != bounds.size() + 1) return std::nullopt;
  const double wanted = share * all;
  double below = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const auto here = static_cast<double>(buckets[i]);
    if (here > 0 && below + here >= wanted) {
      const double lower = i == 0 ? 0 : bounds[i - 1];
      return lower + ((bounds[i] - lower) * (wanted - below) / here);
    }
    below += here;
  }
  return bounds.empty() ? std::nullopt : std::optional(bounds.back());
}

BucketCounts BucketCounts::since(const BucketCounts& earlier) const {
  BucketCounts grown = *this;
  const bool same = earlier.buckets.size() == buckets.size();
  const bool restarted = same && earlier.total() > total();
  if (!same || restarted) return grown;
  for (std::size_t i = 0; i < buckets.size(); ++i)
    grown.buckets[i] -= std::min(earlier.buckets[i], grown.buckets[i]);
  return grown;
}

MetricSnapshot::Value MetricSnapshot::read_value(const json::object& sample) {
  Value read;
  const json::object& labels = object_of(sample, "labels");
  for (const auto& [name, value] : labels) read.labels.emplace(name, text_of(labels, name));
  read.value = number_of(sample, "value");
  for (const json::value& bucket : array_of(sample, "buckets"))
    read.buckets.push_back(static_cast<std::uint64_t>(std::max(number_in(bucket), 0.0)));
  return read;
}

MetricSnapshot::MetricSnapshot(const json::object& reply, SteadyTime taken) : taken_(taken) {
  for (const json::value& entry : array_of(reply, "metrics")) {
    const json::object* family = entry.if_object();
    if (family == nullptr) continue;
    Family read;
    for (const json::value& bound : array_of(*family, "bounds"))
      read.bounds.push_back(number_in(bound));
    for (const json::value& sample : array_of(*family, "samples"))
      if (sample.is_object()) read.values.push_back(read_value(sample.get_object()));
    families_.emplace(text_of(*family, "name"), std::move(read));
  }
}

const MetricSnapshot::Family* MetricSnapshot::find(std::string_view name) const {
  const auto at = families_.find(name);
  return at == families_.end() ? nullptr : &at->second;
}

double MetricSnapshot::sum(std::string_view name, const std::vector<LabelFilter>& labels) const {
  const Family* family = find(name);
  if (family == nullptr) return 0;
  double sum = 0;
  for (const Value& value : family->values)
    if (std::ranges::all_of(labels, [&value](const LabelFilter& wanted) {
          const auto at = value.labels.find(wanted.first);
          return at != value.labels.end() && at->second == wanted.second;
        }))
      sum += value.value;
  return sum;
}

std::map<std::string, double> MetricSnapshot::sums_by(std::string_view name,
                                                      std::string_view label) const {
  std::map<std::string, double> sums;
  const Family* family = find(name);
  if (family == nullptr) return sums;
  for (const Value& value : family->values)
    if (const auto at = value.labels.find(label); at != value.labels.end())
      sums[at->second] += value.value;
  return sums;
}

BucketCounts MetricSnapshot::histogram(std::string_view name) const {
  BucketCounts counts;
  const Family* family = find(name);
  if (family == nullptr) return counts;
  counts.bounds = family->bounds;
  counts.buckets.resize(counts.bounds.size() + 1);
  for (const Value& value : family->values)
    for (std::size_t i = 0; i < std::min(value.buckets.size(), counts.buckets.size()); ++i)
      counts.buckets[i] += value.buckets[i];
  return counts;
}

double MetricSnapshot::rate(const MetricSnapshot& earlier, std::string_view name,
                            const std::vector<LabelFilter>& labels) const {
  const double now = sum(name, labels);
  const double before = earlier.sum(name, labels);
  const double passed = seconds_since(earlier);
  if (passed <= 0) return 0;
  return (now < before ? now : now - before) / passed;
}

double MetricSnapshot::seconds_since(const MetricSnapshot& earlier) const {
  return std::chrono::duration<double>(taken_ - earlier.taken_).count();
}

}  // namespace postern::app
