"""An endpoint with a version in production and the next one at the door."""

from traffic import Traffic

INFER = "/v2/models/e/infer"
QUICK = {"steps": [{"canary": "20%", "for": "0s", "samples": 20}, {"canary": "50%", "for": "0s", "samples": 20}],
         "watch": "0s", "holdback": "0%"}
LONG = {"steps": [{"canary": "50%", "for": "1h"}], "watch": "1h", "holdback": "0%"}


class Released:
    """A server with endpoint e: 1.0.0 serves, 2.0.0 has passed its gate and waits."""

    def __init__(self, backstay, releases, server, backend, endpoint: dict):
        self.backstay = backstay
        self.stable, self.candidate = backend("stable"), backend("candidate")
        urls = {"1.0.0": self.stable.url, "2.0.0": self.candidate.url}
        releases.release("1.0.0")
        releases.release("2.0.0")
        self.config = {"endpoints": [
            {"name": "e", "model": "m", "backend": {"kind": "url", "urls": urls}, "rollout": QUICK, **endpoint}]}
        self.server = server(self.config)
        backstay("rollout", "start", "e", "m@1.0.0", "--reason", "first")
        self.server.wait_for_phase("e", "done")

    def start(self, *more) -> None:
        self.backstay("rollout", "start", "e", "m@2.0.0", "--reason", "next", *more)

    def traffic(self, **options) -> Traffic:
        return Traffic(self.server.addresses["gateway"], INFER, **options)

    def plan(self, text: str):
        file = self.backstay.folder / "plan.yaml"
        file.write_text(text)
        return file

    def shares(self) -> dict:
        return {arm["version"]: arm["share"] for arm in self.server.status("e")["split"]["arms"]}

    def stages(self) -> dict:
        return {v["version"]: v["stage"] for v in self.backstay("list", "m", "--json").json}
