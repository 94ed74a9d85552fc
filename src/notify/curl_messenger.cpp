#include "notify/curl_messenger.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <string_view>

namespace backstay::notify {

namespace {

constexpr std::size_t kMaxAnswer = 64 * 1024;
constexpr int kMailAccepted = 250;
constexpr long kAnswerSeconds = 3;

struct CleanUp {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};

/// A list as curl wants it.
class Lines {
 public:
  Lines() = default;
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  ~Lines() { curl_slist_free_all(head_); }
  void add(const std::string& line) { head_ = curl_slist_append(head_, line.c_str()); }
  curl_slist* get() const { return head_; }

 private:
  curl_slist* head_ = nullptr;
};

std::size_t take_answer(char* data, std::size_t size, std::size_t count, void* into) {
  auto& answer = *static_cast<std::string*>(into);
  answer.append(data, std::min(size * count, kMaxAnswer - answer.size()));
  return size * count;  // What is too long is read and forgotten.
}

struct Upload {
  const std::string* text;
  std::size_t at = 0;
};

std::size_t give_mail(char* into, std::size_t size, std::size_t count, void* from) {
  auto& upload = *static_cast<Upload*>(from);
  const std::size_t n = std::min(size * count, upload.text->size() - upload.at);
  upload.text->copy(into, n, upload.at);
  upload.at += n;
  return n;
}

/// Asked by curl about once a second.
int may_go_on(void* stop, curl_off_t /*down*/, curl_off_t /*of*/, curl_off_t /*up*/, curl_off_t /*of*/) {
  return static_cast<const std::stop_token*>(stop)->stop_requested() ? 1 : 0;
}

std::optional<std::uint64_t> number_in(CURL* curl, const char* header) {
  curl_header* found = nullptr;
  if (curl_easy_header(curl, header, 0, CURLH_HEADER, -1, &found) != CURLHE_OK) return std::nullopt;
  const std::string_view text(found->value);
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

/// When the server wants to be asked again.
void read_wishes(CURL* curl, Sent& sent) {
  constexpr std::uint64_t kLastSecond = 253'402'300'799;  // Of the year 9999: a number beyond it is no time.
  curl_header* found = nullptr;
  curl_off_t after = 0;
  if (curl_easy_header(curl, "Retry-After", 0, CURLH_HEADER, -1, &found) == CURLHE_OK &&
      curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &after) == CURLE_OK)
    sent.retry_after = seconds(std::clamp<curl_off_t>(after, 0, std::numeric_limits<std::int32_t>::max()));
  sent.rate_limit_remaining = number_in(curl, "X-RateLimit-Remaining");
  const std::optional<std::uint64_t> reset = number_in(curl, "X-RateLimit-Reset");
  if (reset && *reset <= kLastSecond)
    sent.rate_limit_reset = std::chrono::sys_seconds(seconds(static_cast<std::int64_t>(*reset)));
}

}  // namespace

CurlMessenger::CurlMessenger() {
  curl_global_init(CURL_GLOBAL_DEFAULT);
}
CurlMessenger::~CurlMessenger() {
  curl_global_cleanup();
}

Result<Sent> CurlMessenger::send(const Message& message) const {
  const std::unique_ptr<CURL, CleanUp> handle(curl_easy_init());
  if (!handle) return Unexpected(ErrorCode::kInternal, "libcurl can't be used.", "Is there memory?");
  CURL* curl = handle.get();
  Sent sent;
  Lines headers;
  Lines recipients;
  Upload upload{&message.body};
  const bool mail = message.kind == Message::Kind::kMail;
  curl_easy_setopt(curl, CURLOPT_URL, message.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, mail ? "smtp,smtps" : "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(message.timeout.count()));
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // A name server that is slow must not hold up the end.
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, may_go_on);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &message.stop);
  // The farewell of a mail session is waited for outside of that time, by what it may take to answer one command.
  curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, kAnswerSeconds);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "backstay");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sent.body);
  if (mail) {
    // Encrypted when the server offers it; a password goes only over what is encrypted.
    curl_easy_setopt(curl, CURLOPT_USE_SSL, message.password.empty() ? CURLUSESSL_TRY : CURLUSESSL_ALL);
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, message.from.c_str());
    for (const std::string& to : message.to) recipients.add(to);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);  // One who left must not keep it from the others.
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients.get());
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_mail);
    curl_easy_setopt(curl, CURLOPT_READDATA, &upload);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    if (!message.user.empty()) curl_easy_setopt(curl, CURLOPT_USERNAME, message.user.c_str());
    if (!message.password.empty()) curl_easy_setopt(curl, CURLOPT_PASSWORD, message.password.c_str());
  } else {
    for (const std::string& header : message.headers) headers.add(header);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, message.method.c_str());
    if (message.method != "GET") {
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(message.body.size()));
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, message.body.c_str());
    }
  }
  const CURLcode code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_ABORTED_BY_CALLBACK)
    return Unexpected(ErrorCode::kUnavailable, "This process ends.", "It is sent by the next one.");
  if (code == CURLE_OPERATION_TIMEDOUT)
    return Unexpected(ErrorCode::kTimeout, "It did not answer within " + to_string(message.timeout) + ".",
                      "Check that it can be reached.");
  // A mail server that says no says so with a number; there is none when it could not be asked.
  if (code != CURLE_OK && mail && status >= 400) return Sent{static_cast<int>(status), ""};
  if (code != CURLE_OK)
    return Unexpected(ErrorCode::kUnavailable,
                      std::string("It could not be reached: ") + curl_easy_strerror(code) + ".",
                      "Check the address and that it can be reached from here.");
  sent.status = mail ? kMailAccepted : static_cast<int>(status);
  if (!mail) read_wishes(curl, sent);
  return sent;
}

}  // namespace backstay::notify
