import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.Node;

/** One node of Elasticsearch for tests, from its Maven artifacts: Elasticsearch PORT HOME DATA. SIGTERM ends it. */
public class Elasticsearch {
  public static void main(String[] arguments) {
    try {
      Path home = Path.of(arguments[1]).toAbsolutePath(), data = Path.of(arguments[2]).toAbsolutePath();
      Settings settings = Settings.builder()
        .put("path.home", home.toString()).put("path.data", data.resolve("data").toString()).put("path.logs", data.resolve("logs").toString())
        .put("cluster.name", "integration").put("node.name", "one")
        .put("network.host", "127.0.0.1").put("http.port", arguments[0]).put("transport.port", "0")
        .put("discovery.type", "single-node")
        .put("cluster.routing.allocation.disk.threshold_enabled", false)
        .put("search.keep_alive_interval", "1s") // so that a test sees a point in time expire
        .build();
      LogConfigurator.registerErrorListener();
      if (has(LogConfigurator.class, "configureESLogging")) { // not in 7
        LogConfigurator.class.getMethod("configureESLogging").invoke(null);
      }
      LogConfigurator.configureWithoutConfig(settings);
      Node node = node(new Environment(settings, home.resolve("config")), home.resolve("modules"));
      Runtime.getRuntime().addShutdownHook(new Thread(() -> { try { node.close(); } catch (Exception e) { e.printStackTrace(); } }));
      node.start();
      Thread.currentThread().join();
    } catch (Throwable t) {
      t.printStackTrace();
      System.exit(1);
    }
  }

  private static boolean has(Class<?> type, String method) {
    return java.util.Arrays.stream(type.getMethods()).anyMatch(m -> m.getName().equals(method));
  }

  /** From 9 on a node is given its modules; before, it finds them. */
  private static Node node(Environment environment, Path folder) throws Exception {
    if (Node.class.getConstructors()[0].getParameterCount() == 1) {
      return Node.class.getConstructor(Environment.class).newInstance(environment);
    }
    Class<?> loader = Class.forName("org.elasticsearch.plugins.PluginsLoader");
    Object modules = loader.getMethod("loadModulesBundles", Path.class).invoke(null, folder);
    return Node.class.getConstructor(Environment.class, loader).newInstance(environment,
        loader.getMethod("createPluginsLoader", Set.class, Set.class, Map.class).invoke(null, modules, Set.of(), Map.of()));
  }
}
