#pragma once

#include <optional>
#include <utility>

#include "domain/rollout/rollout.hpp"

/// What step() is made of, for the files of this folder.
namespace backstay::rollout {

inline Transition unchanged(const State& state) {
  Transition out;
  out.state = state;
  return out;
}

/// What every change has: the next revision, and a note.
inline Transition change(const State& state, Note note) {
  note.evidence = with_versions(state, std::move(note.evidence));
  Transition out;
  out.state = state;
  out.state.revision = state.revision + 1;
  out.state.shown.clear();
  out.changed = true;
  out.notes.push_back(std::move(note));
  return out;
}

/// An approval, when there is a step that it could be for; see can_approve().
Transition approve(const State& state, const Approve& event);

}  // namespace backstay::rollout
