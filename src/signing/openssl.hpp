#pragma once

/// What the files that call OpenSSL share.
namespace backstay::signing {

/// For unique_ptr to OpenSSL's objects: std::unique_ptr<BIO, Deleter<BIO_free_all>>.
template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

}  // namespace backstay::signing
