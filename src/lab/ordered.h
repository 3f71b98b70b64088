#pragma once

#include <map>
#include <type_traits>
#include <utility>
#include <vector>

namespace postern::lab {

/// Sorts by `key`; what is equal keeps its order. (The library's stable_sort warns of itself.)
template <typename T, typename Key>
void order_by(std::vector<T>& items, Key key) {
  std::multimap<std::decay_t<std::invoke_result_t<Key, const T&>>, T> ordered;
  for (T& item : items) {
    auto at = key(std::as_const(item));
    ordered.emplace(std::move(at), std::move(item));
  }
  items.clear();
  for (auto& [at, item] : ordered) items.push_back(std::move(item));
}

}  // namespace postern::lab
