#include "capture/secret_files.hpp"

#include <gtest/gtest.h>

namespace backstay::capture {
namespace {

TEST(SecretFiles, AreKnownByTheirNames) {
  for (const char* name : {".env", ".env.local", ".envrc", "prod.env", "server.pem", "TLS.KEY", "id_rsa", "id_ed25519",
                           "aws_credentials.json", "credentials", ".netrc", ".pgpass"})
    EXPECT_TRUE(has_secret_name(name)) << name;
  for (const char* name : {"train.py", "environment.yaml", "keys.py", "monkey.py", "README.md", "pgpass.md"})
    EXPECT_FALSE(has_secret_name(name)) << name;
}

TEST(SecretFiles, AreKnownByTheirText) {
  for (const char* text : {
           "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
           "x = 1\n-----BEGIN PRIVATE KEY-----\n",
           "export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI\n",
           "aws_secret_access_key = wJalr\n",
           "os.environ['AWS_SECRET_ACCESS_KEY'] = 'wJal'; aws_secret = 'wJal'\n",
           "DB_PASSWORD=hunter2",
           "a\n  password: hunter2\r\n",
           "{\"password\": \"hunter2\"}",
           "connect(user='bob', password='hunter2')",
           "spring.datasource.password=hunter2",
       })
    EXPECT_TRUE(has_secret_text(text)) << text;
}

TEST(SecretFiles, AreNotWhatReadsASecretFromElsewhere) {
  for (const char* text : {
           "",
           "password = os.environ['DB_PASSWORD']",
           "password = getpass.getpass()",
           "connect(user=user, password=password)",
           "DB_PASSWORD=$PASSWORD",
           "password: ${PASSWORD}",
           "password = None",
           "password = ''",
           "class Login:\n  password: str\n",
           "if password == given:",
           "forgot your password? Write to us",
           "print('aws_secret_access_key is needed')",
           "-----BEGIN PUBLIC KEY-----",
       })
    EXPECT_FALSE(has_secret_text(text)) << text;
}

TEST(SecretFiles, AreLookedAtInTheirBeginningOnly) {
  const std::string secret = "\nDB_PASSWORD=hunter2\n";
  EXPECT_TRUE(has_secret_text(std::string(kMaxSecretScanBytes - secret.size(), 'x') + secret));
  EXPECT_FALSE(has_secret_text(std::string(kMaxSecretScanBytes, 'x') + secret));
}

TEST(SecretFiles, ThatCanNotBeReadAreAnError) {
  EXPECT_FALSE(looks_like_secret("/nowhere/train.py"));
}

}  // namespace
}  // namespace backstay::capture
