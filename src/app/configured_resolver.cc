#include "app/configured_resolver.h"

#include <fmt/format.h>
#include <fstream>
#include <iterator>

#include "dns/zone_text.h"

namespace postern::app {
namespace {

/// dns-root-data's file, which Debian keeps up to date.
constexpr const char* trust_anchor_file = "/usr/share/dns/root.key";
constexpr std::size_t file_bytes_max = 64 << 20;

std::string whole_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  for (auto at = std::istreambuf_iterator<char>(file); at != std::istreambuf_iterator<char>(); ++at)
    if (text.size() < file_bytes_max) text += *at;
  return text;
}

dns::UnboundOptions dns_options(const Configuration::Dns& dns) {
  dns::UnboundOptions options;
  options.forwarders = dns.servers;
  if (dns.servers.empty() && !dns.recursive)
    options.forwarders = dns::forwarders_from_resolv_conf(whole_file("/etc/resolv.conf"));
  options.stub_zones = dns.stub_zones;
  if (dns.dnssec) options.trust_anchor_file = trust_anchor_file;
  return options;
}

}  // namespace

Result<std::unique_ptr<ConfiguredResolver>> ConfiguredResolver::create(
    const io::World& world, const Configuration::Dns& dns) {
  std::unique_ptr<ConfiguredResolver> made(new ConfiguredResolver(world));
  TRY(made->unbound_,
      dns::UnboundResolver::create(world.clock, made->descriptors_, dns_options(dns)));
  if (dns.zone_files.empty()) return made;
  std::string text;
  for (const std::string& path : dns.zone_files) text += whole_file(path) + "\n";
  auto zone = dns::Zone::parse(text);
  if (!zone)
    return operator_failure(Cause::damaged, fmt::format("[dns] zone_files: {}", zone.error().what));
  made->zones_ = std::make_unique<dns::ZoneResolver>(world.clock, std::move(*zone));
  made->zones_->set_beyond(made->unbound_.get());
  return made;
}

}  // namespace postern::app
