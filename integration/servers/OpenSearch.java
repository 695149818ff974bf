import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One node of OpenSearch for tests: OpenSearch PORT DATA. SIGTERM ends it. */
public class OpenSearch {
  public static void main(String[] arguments) {
    try {
      OpenSearchRunner runner = new OpenSearchRunner();
      runner.setMaxHttpPort(-1); // it would allow ports up to 9299 only
      runner.onBuild((number, settings) -> {
        settings.put("network.host", "127.0.0.1");
        settings.put("http.port", arguments[0]);
        settings.put("transport.port", "0");
        settings.putList("node.roles", "cluster_manager", "data", "ingest");
        settings.put("discovery.type", "single-node");
        settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
        settings.put("action.auto_create_index", true);
        settings.put("search.keep_alive_interval", "1s"); // so that a test sees a point in time expire
        settings.put("point_in_time.init.keep_alive", "1s"); // a point in time never has less than this
      });
      Runtime.getRuntime().addShutdownHook(new Thread(() -> { try { runner.close(); } catch (Exception e) { e.printStackTrace(); } }));
      runner.build(OpenSearchRunner.newConfigs().basePath(arguments[1]).numOfNode(1).clusterName("integration"));
      Thread.currentThread().join();
    } catch (Throwable t) {
      t.printStackTrace();
      System.exit(1);
    }
  }
}
